"""The files of a folder, at any depth, and the classes and splits that its subfolders name.

Only the standard library is imported here.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unveil.core.errors import DataError
from unveil.core.files import reason, shown

SUFFIXES = frozenset({
    ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga",
    ".tif", ".tiff", ".webp",
})  # fmt: skip
VIDEO = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv"})
ANIMATED = frozenset({".apng", ".gif"})
ARRAYS = frozenset({".npy", ".npz"})
_HELD_OUT = ("test", "val", "valid", "validation")


def walk(
    folder: Path, closed: list[tuple[str, str]] | None = None, suffixes: Collection[str] = SUFFIXES
) -> Iterator[str]:
    """Yield the paths of the files in a folder and its subfolders, relative to it, in the order of their names.

    Only files that end in one of the suffixes, which are those of images.

    Hidden files and folders are passed over. Links are followed; a folder that was visited before (a loop) is not
    visited again. Subfolders that cannot be opened are put into `closed`, with the reason.
    """
    seen: set[tuple[int, int]] = set()

    def visit(place: str, prefix: str) -> Iterator[str]:
        try:
            status = os.stat(place)
            if (status.st_dev, status.st_ino) in seen:
                return
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            if closed is not None:
                closed.append((place, reason(error)))
            return
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if _is_folder(entry):
                yield from visit(entry.path, f"{prefix}{entry.name}/")
            elif os.path.splitext(entry.name)[1].lower() in suffixes:
                yield prefix + entry.name

    return visit(os.fspath(folder), "")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; it is named when it is read
        return False


@dataclass(frozen=True)
class Listing:
    """The images of a folder.

    Attributes:
        files: paths relative to the folder, "/" between their parts.
        classes: names of the classes, where each image lies in one of several first subfolders; else None.
        labels: the class of each file, where there are classes.
        held_out: whether each file lies in the held-out part, where the folder is split into parts; else None.
        closed: folders that could not be opened, and why.
    """

    files: tuple[str, ...]
    classes: tuple[str, ...] | None
    labels: tuple[int, ...] | None
    held_out: tuple[bool, ...] | None
    closed: tuple[tuple[str, str], ...]


def list_folder(folder: Path) -> Listing:
    """List the images of a folder with what its subfolders say about them.

    `train/` beside `test/` (or `val/`, where there is no `test/`) are the two parts of the data, if all images lie in
    those. Within each part, or in the folder itself, several subfolders that hold all images are the classes.

    Raises:
        DataError: there is no image.
    """
    closed: list[tuple[str, str]] = []
    files = list(walk(folder, closed))
    if not files:
        raise DataError(f"The folder '{shown(folder)}' holds no images, nor does any folder in it.")
    files, held_out = in_parts(files)
    inner = files if held_out is None else [name.split("/", 1)[1] for name in files]
    classes: tuple[str, ...] | None = None
    labels: tuple[int, ...] | None = None
    tops = {name.split("/")[0] for name in inner}
    if len(tops) > 1 and all("/" in name for name in inner):
        classes = tuple(sorted(tops))
        number = {name: i for i, name in enumerate(classes)}
        labels = tuple(number[name.split("/")[0]] for name in inner)
    return Listing(tuple(files), classes, labels, held_out, tuple(closed))


def in_parts(files: Sequence[str]) -> tuple[list[str], tuple[bool, ...] | None]:
    """Tell which files lie in the held-out part, where a folder's first subfolders are the parts of the data.

    Returns:
        The files of the two parts, and whether each is held out; all files and None where there are no parts.
    """
    tops = {name.split("/")[0] for name in files}
    test = next((top for kind in _HELD_OUT for top in sorted(tops) if top.lower() == kind), None)
    train = next((top for top in sorted(tops) if top.lower() == "train"), None)
    all_in_parts = all("/" in name for name in files) and {top.lower() for top in tops} <= {"train", *_HELD_OUT}
    if not (train and test and all_in_parts):
        return list(files), None
    files = [name for name in files if name.split("/")[0] in (train, test)]
    return files, tuple(name.split("/")[0] == test for name in files)
