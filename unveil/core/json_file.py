"""JSON files: what one holds, or one sentence on why it cannot be had; and new ones. Imports the standard library only."""

import json
import os
from pathlib import Path
from typing import Any

from unveil.core.errors import DataError
from unveil.core.files import new_file


def read_json(path: str | os.PathLike[str], what: str, largest: int = 16 << 20) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        what: it should hold, for the message: "list of effectors".
        largest: bytes that such a file may have.

    Raises:
        DataError: there is no such file, it is larger, or it is no JSON.
    """
    place = Path(path).expanduser()
    try:
        small = place.stat().st_size <= largest
        text = place.read_bytes() if small else b""
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    if not small:
        raise DataError(f"'{path}' is larger than any {what}.")
    try:
        return json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"'{path}' is no JSON that can be read: {error}.") from None


def write_json(path: str | os.PathLike[str], value: Any, *, force: bool = False, indent: int = 1) -> Path:
    """Write a JSON file, which is whole or not there, and the folder that it is in.

    Args:
        path: the file.
        value: numbers, texts, lists and tables.
        force: whether it may take the place of another.
        indent: spaces by which each level is moved in.

    Raises:
        ExistsError: something is there, and `force` is false.
        UnveilError: it cannot be written, as on a full disk.
    """
    place = Path(path).expanduser()
    with new_file(place, force) as file:
        file.write_text(json.dumps(value, indent=indent) + "\n", encoding="utf-8")
    return place
