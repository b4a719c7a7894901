"""A pose editor, ready to be looked at."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unveil.body.parametric import Body
from unveil.core.errors import DataError
from unveil.studio.filing import open_file
from unveil.studio.folder import Folder, check_size
from unveil.studio.page import LOCAL, PoseEditor
from unveil.studio.state import PoseEditorState


def open_editor(
    model: Any,
    *,
    folder: str | os.PathLike[str] = "poses",
    files: Sequence[str | os.PathLike[str]] = (),
    host: str = LOCAL,
    port: int = 8080,
) -> PoseEditor:
    """Serve the pose editor.

    Args:
        model: a `PoseSolver` that knows its `body`, such as a trained `PoseIK`.
        folder: the only one that pages save to and open from.
        files: opened in every new scene: a character, a pose, a motion, a project, a picture.
        host: address to listen at; only this machine reaches the usual one.
        port: to listen at, 0 for any that is free; the next free one is taken if it is in use.

    Returns:
        The editor; `address` tells where it is, `wait` serves until interrupted and `stop` ends it.

    Raises:
        DataError: a file cannot be opened.
        MissingDependencyError: viser is not installed.
    """
    place, given = Folder(folder), [_read(Path(file).expanduser()) for file in files]

    def new_state() -> PoseEditorState:
        editor = PoseEditorState(model.body, model, place)
        for name, data in given:
            open_file(editor, name, data)
        return editor

    new_state()  # what is wrong with a file is said now, and what takes time is kept
    return PoseEditor(new_state, host=host, port=port, shape_names=_names(model.body))


def _read(path: Path) -> tuple[str, bytes]:
    try:
        check_size(path.name, path.stat().st_size)
        return path.name, path.read_bytes()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from None


def _names(body: Body) -> tuple[str, ...] | None:
    """Words for the numbers of a shape are known of the embedded body only."""
    return None if body.fingerprint == Body.embedded().fingerprint else ("",) * 10
