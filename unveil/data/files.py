"""Image files on disk, and the two sources that come with the library."""

import os
import stat
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from unveil.core.errors import DataError
from unveil.core.files import shown
from unveil.data.folders import list_folder
from unveil.data.found import Block, Encoded, Found
from unveil.data.sources import PHOTOS
from unveil.data.store import digest


def read_folder(folder: Path) -> Found:
    """List the images of a folder, with the classes and parts that its subfolders name."""
    listing = list_folder(folder)
    return Found(
        as_encoded([folder / name for name in listing.files], shown(folder.resolve())),
        None if listing.labels is None else np.array(listing.labels, np.int64),
        None if listing.classes is None else len(listing.classes),
        None if listing.classes is None else tuple(shown(name) for name in listing.classes),
        None if listing.held_out is None else np.array(listing.held_out),
        listing.closed,
        listing.unread,
        listing.stray,
    )


def as_encoded(paths: Sequence[Path], place: str) -> Encoded:
    """Image files, each known by its size and by when it was last touched."""
    state, total = [], 0
    for path in paths:
        try:
            status = path.stat()
            total += status.st_size
            # The time of the last change of the file's entry, too: archives often set all other times alike.
            state.append(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}")
        except OSError as error:
            state.append(f"{path}\0{error.errno}")
    return Encoded([shown(path) for path in paths], partial(_read, paths), place, digest(*state).hex(), total)


def _read(paths: Sequence[Path], row: int) -> bytes:
    if not stat.S_ISREG(os.stat(paths[row]).st_mode):
        raise OSError("it is not a regular file")  # a pipe would keep us waiting for ever
    return paths[row].read_bytes()


def read_digits() -> Found:
    """scikit-learn's 1,797 handwritten digits: 8x8, grey, 17 levels, so that 0 is -1 and 16 is 1 exactly.

    Source: Alpaydin and Kaynak (1998), UCI optical recognition of handwritten digits, test part.
    """
    path = _bundled("sklearn", "datasets/data/digits.csv.gz")
    if path is None:
        from sklearn.datasets import load_digits

        table = np.column_stack(load_digits(return_X_y=True))
    else:  # the table alone is read in a fiftieth of the time that importing scikit-learn takes
        table = np.loadtxt(path, delimiter=",")
    images, labels = table[:, :-1].astype(np.uint8).reshape(-1, 1, 8, 8), table[:, -1].astype(np.int64)
    return Found(Block(images, levels=17), labels, 10, tuple("0123456789"))


def read_photos() -> Found:
    """The nine colour photographs that scikit-image and scikit-learn bring along, at least 300 pixels on a side."""
    found = [_bundled(*place) for place in PHOTOS.values()]
    paths = [path for path in found if path is not None]
    if not paths:
        raise DataError("The embedded photos come with scikit-image and scikit-learn, and neither brings them here.")
    return Found(as_encoded(paths, "photos"))


def photo_file(name: str) -> Path:
    """The file of one of the embedded photographs, such as rocket.

    Raises:
        DataError: the package that brings it is not there.
    """
    path = _bundled(*PHOTOS[name])
    if path is None:
        raise DataError(
            f"The photograph {name} comes with the package {PHOTOS[name][0]}, which does not bring it here."
        )
    return path


def _bundled(package: str, name: str) -> Path | None:
    spec = find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((path for folder in folders if (path := Path(folder) / name).is_file()), None)
