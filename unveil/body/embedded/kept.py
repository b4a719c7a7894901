"""The embedded body, from the cache or made anew."""

import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from unveil.body.arrays import BodyArrays
from unveil.body.joints import GENDERS
from unveil.core.cache import cache_root
from unveil.core.errors import UnveilError
from unveil.core.files import new_file

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
    # Whole or not there, however many processes make it at once; where it cannot be kept it is made anew each time.
    with suppress(UnveilError), new_file(path, force=True) as place, place.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **made)
