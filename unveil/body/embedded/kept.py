"""The embedded body, from the cache or made anew."""

import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from unveil.body.arrays import BodyArrays
from unveil.body.joints import GENDERS
from unveil.core.cache import cache_root

VERSION = 1  # a change of the measurements or of the making asks for another


def embedded_arrays(*, cache: bool = True) -> dict[str, BodyArrays]:
    """The embedded body of each gender.

    It takes a few seconds to make, and is kept in `$UNVEIL_CACHE/body` (or `~/.cache/unveil/body`) if that can be written.

    Args:
        cache: whether to look there, and to keep it there.
    """
    path = cache_root() / "body" / f"embedded-{VERSION}.npz"
    if cache and path.is_file():
        try:
            with np.load(path, allow_pickle=False) as file:
                return _unpack({name: file[name] for name in file.files})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            pass  # damaged: it is made anew
    from unveil.body.embedded.build import build

    made = build()
    if cache:
        _keep(path, made)
    return _unpack(made)


def _unpack(made: Mapping[str, np.ndarray]) -> dict[str, BodyArrays]:
    return {
        gender: BodyArrays(
            template=made["templates"][row],
            shape_directions=made["directions"],
            pose_directions=None,
            regressor=made["regressor"],
            weights=made["weights"],
            faces=made["faces"],
        )
        for row, gender in enumerate(GENDERS)
    }


def _keep(path: Path, made: Mapping[str, np.ndarray]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            np.savez_compressed(file, allow_pickle=False, **made)
        os.replace(file.name, path)  # whole or not there, however many processes make it at once
    except OSError:
        pass  # it can be made anew each time
