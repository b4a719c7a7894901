"""The files of a folder, at any depth, and the classes and splits that its subfolders name.

Only the standard library is imported here.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unveil.core.errors import DataError
from unveil.core.files import reason, shown

SUFFIXES = frozenset({
    ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga",
    ".tif", ".tiff", ".webp",
})  # fmt: skip
UNREAD = frozenset({
    ".arw", ".cr2", ".cr3", ".dng", ".heic", ".heif", ".hif", ".jxl", ".nef", ".orf", ".pef", ".psd", ".raf", ".rw2",
    ".svg",
})  # fmt: skip
"""Pictures of phones, of cameras before they are developed, and of drawing programs: known to be pictures, and not read."""
VIDEO = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv"})
ANIMATED = frozenset({".apng", ".gif"})
ARRAYS = frozenset({".npy", ".npz"})
_HELD_OUT = ("test", "val", "valid", "validation")
_NAMED = 3


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
            elif _suffix(entry.name) in suffixes:
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
        unread: what is said of pictures of kinds that are not read; empty where there are none.
        stray: what is said of the few pictures beside subfolders that would be classes without them, or empty.
    """

    files: tuple[str, ...]
    classes: tuple[str, ...] | None
    labels: tuple[int, ...] | None
    held_out: tuple[bool, ...] | None
    closed: tuple[tuple[str, str], ...]
    unread: str = ""
    stray: str = ""


def list_folder(folder: Path) -> Listing:
    """List the images of a folder with what its subfolders say about them.

    `train/` beside `test/` (or `val/`, where there is no `test/`) are the two parts of the data, if all images lie in
    those. Within each part, or in the folder itself, several subfolders that hold all images are the classes.

    Raises:
        DataError: there is no image.
    """
    closed: list[tuple[str, str]] = []
    found = list(walk(folder, closed, SUFFIXES | UNREAD))
    unread = of_unread([name for name in found if _suffix(name) in UNREAD])
    files = [name for name in found if _suffix(name) in SUFFIXES]
    if not files:
        hint = f" {unread}" if unread else ""
        raise DataError(f"The folder '{shown(folder)}' holds no images, nor does any folder in it.{hint}")
    files, held_out = in_parts(files)
    inner = files if held_out is None else [name.split("/", 1)[1] for name in files]
    classes: tuple[str, ...] | None = None
    labels: tuple[int, ...] | None = None
    tops = {name.split("/")[0] for name in inner}
    if len(tops) > 1 and all("/" in name for name in inner):
        classes = tuple(sorted(tops))
        number = {name: i for i, name in enumerate(classes)}
        labels = tuple(number[name.split("/")[0]] for name in inner)
    return Listing(tuple(files), classes, labels, held_out, tuple(closed), unread, _of_stray(files, inner))


def of_unread(files: Sequence[str]) -> str:
    """Say how many pictures of which kinds are not read, and how to convert them; nothing where there are none."""
    if not files:
        return ""
    kinds = Counter(map(_suffix, files)).most_common()
    counted = ", ".join(f"{kind} {count}" for kind, count in kinds)
    one = len(files) == 1
    what = "1 file is of a kind that is" if one else f"{len(files)} files are of kinds that are"
    return (
        f"{what} not read ({counted}); convert {'it' if one else 'them'} to .png or .jpg, such as with ImageMagick: "
        f"magick mogrify -format jpg *{kinds[0][0]}."
    )


def _of_stray(files: Sequence[str], inner: Sequence[str]) -> str:
    """Name the pictures that lie beside subfolders with more pictures, which they keep from being classes or parts."""
    stray = [name for name, below in zip(files, inner, strict=True) if "/" not in below]
    folders = sorted({below.split("/")[0] for below in inner if "/" in below})
    if not stray or len(folders) < 2 or len(stray) > len(files) - len(stray):
        return ""
    lie, them = ("lies", "it") if len(stray) == 1 else ("lie", "them")
    return (
        f"{_listed(stray)} {lie} beside the folders {_listed(folders)}, which are therefore taken neither for classes nor for "
        f"parts of the data; move {them} into one of these, or away."
    )


def _listed(names: Sequence[str]) -> str:
    words = [f"'{shown(name)}'" for name in names[:_NAMED]]
    if len(names) > _NAMED:
        words.append(f"{len(names) - _NAMED} more")
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


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
