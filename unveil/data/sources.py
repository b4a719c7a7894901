"""What a source of data is, told from its name and its place alone.

The command line asks here before anything heavy is loaded: this file imports the standard library only.
"""

import os
import re
import stat
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from unveil.core.errors import DataError, MissingDependencyError
from unveil.core.files import reason, shown
from unveil.data.folders import ANIMATED, ARRAYS, SUFFIXES, UNREAD, VIDEO, of_unread, walk

POINTS = ("eight-gaussians",)
MOVING = "moving-digits"
MOTIONS = "motions"
PHOTOS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "hubble": ("skimage", "data/hubble_deep_field.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}
"""The photographs of the source `photos`, and of `photos/NAME` one by one: which package brings each, and where."""
EMBEDDED = ("digits", "photos", MOVING, MOTIONS, *POINTS)
"""Sources that are always there; MOVING holds clips; MOTIONS, of bodies, and those among POINTS hold no pictures at all."""
PREFIXES = ("hf:", f"{MOVING}:", "photos/")
"""What a source that is no path begins with."""
BVH = (".bvh", ".bvh.gz")
ACCEPTED = (
    "a folder of images or of clips, one image, one video, an .npz, .npy or idx(.gz) file, "
    f"an embedded source ({', '.join(EMBEDDED)}) or hf:NAME for a Hugging Face data set"
)
IDX = re.compile(r"[-.]idx(\d(-ubyte)?)?(\.gz)?$", re.IGNORECASE)

Kind = Literal["embedded", "points", "moving-digits", "hub", "folder", "image", "npz", "npy", "idx", "video", "videos",
    "motions", "bvh"]  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A source of data that is there: its kind, a name for it, and where it lies (None: nowhere on disk)."""

    kind: Kind
    name: str
    path: Path | None = None


def check_source(source: str | os.PathLike[str]) -> Source:
    """Tell what a source is, without reading a picture.

    The name of an embedded source wins over a file of that name; write `./digits` for the folder. A file of video is
    of the kind "video", and a folder that holds videos or arrays and no pictures of the kind "videos"; animations and
    folders of frames are told from pictures only by what is made of them.

    Args:
        source: a path, the name of an embedded source, `photos/NAME` for one of the
            embedded photographs, `hf:NAME` (also `hf:NAME:CONFIG`), or `moving-digits:PATH`, where
            the path is that of the pictures that move.

    Raises:
        DataError: nothing is there, it cannot be read, or it is of no kind that we know.
        MissingDependencyError: a Hugging Face data set is asked for without the library that reads it.
    """
    text = os.fspath(source)
    if not text.strip():
        raise DataError(f"The source of data is empty; give {ACCEPTED}.")
    if text == MOVING:
        return Source("moving-digits", MOVING)
    if text.startswith(f"{MOVING}:"):
        return _moving(text[len(MOVING) + 1 :])
    if text == MOTIONS:
        return Source("motions", MOTIONS)
    if text in EMBEDDED:
        return Source("points" if text in POINTS else "embedded", text)
    if text.startswith("photos/") and not Path(text).exists():
        return _photo(text)
    if text.startswith("hf:"):
        return _hub(text[3:])
    path = Path(text).expanduser()
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(_missing(text, path)) from None
    except (OSError, ValueError) as error:
        raise DataError(f"'{shown(path)}' cannot be read: {reason(error)}.") from None
    if stat.S_ISDIR(mode):
        return _folder(path)
    if not stat.S_ISREG(mode):
        raise DataError(f"'{shown(path)}' is neither a file nor a folder; give {ACCEPTED}.")
    return _file(path)


def _photo(text: str) -> Source:
    if text.partition("/")[2] not in PHOTOS:
        near = get_close_matches(text, [f"photos/{name}" for name in PHOTOS], n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise DataError(f"There is no embedded photograph '{shown(text)}'.{hint} There are {', '.join(PHOTOS)}.")
    return Source("embedded", text)


def _hub(name: str) -> Source:
    if not name.strip(":"):
        raise DataError("'hf:' needs the name of a data set behind it, e.g. hf:uoft-cs/cifar10.")
    _need_datasets(f"hf:{name}")
    return Source("hub", name)


def _moving(pictures: str) -> Source:
    if not pictures:
        raise DataError(
            f"'{MOVING}:' needs the place of the digits behind it, such as {MOVING}:mnist for MNIST's folder."
        )
    source = check_source(pictures)
    if source.path is None or source.kind in ("video", "videos"):
        raise DataError(
            f"'{MOVING}:{shown(pictures)}' does not name pictures on disk; give a folder of pictures or MNIST's files, or "
            f"'{MOVING}' alone for digits that are always there."
        )
    return Source("moving-digits", MOVING, source.path)


def _need_datasets(what: str) -> None:
    if find_spec("datasets") is None:
        raise MissingDependencyError(
            f"'{what}' is read by the Hugging Face library `datasets`, which is not installed. "
            "Install the extra: pip install 'unveil[hub]'."
        )


def _missing(text: str, path: Path) -> str:
    try:
        around = os.listdir(path.parent)
    except OSError:
        around = []
    bare = os.sep not in text and "/" not in text
    near = get_close_matches(path.name, [*EMBEDDED, *around] if bare else around, n=3)
    names = ", ".join(f"'{shown(name if bare else path.parent / name)}'" for name in near)
    hint = f" Did you mean {names}?" if near else ""
    return f"There is no file, folder or embedded source '{shown(text)}'.{hint} Give {ACCEPTED}."


def _file(path: Path) -> Source:
    suffix = path.suffix.lower()
    kind: Kind
    if IDX.search(path.name):
        kind = "idx"
    elif suffix in (".npz", ".npy"):
        kind = "npz" if suffix == ".npz" else "npy"
    elif suffix in VIDEO:
        kind = "video"
    elif path.name.lower().endswith(BVH):
        kind = "bvh"
    elif suffix in SUFFIXES or suffix in ANIMATED:
        kind = "image"
    else:
        what = f"'{suffix}' files" if suffix else "files without a suffix"
        raise DataError(f"'{shown(path)}': {what} are not read as images or video; give {ACCEPTED}.")
    if not os.access(path, os.R_OK):
        raise DataError(f"'{shown(path)}' cannot be read: permission denied.")
    if path.stat().st_size == 0:
        raise DataError(f"'{shown(path)}' is empty (0 bytes).")
    return Source(kind, shown(path.stem), path)


def _folder(path: Path) -> Source:
    name = shown(path.resolve().name)
    try:
        inside = {entry for entry in os.listdir(path) if not entry.startswith(".")}
    except OSError as error:
        raise DataError(f"The folder '{shown(path)}' cannot be read: {reason(error)}.") from None
    if not inside:
        raise DataError(f"The folder '{shown(path)}' is empty; give {ACCEPTED}.")
    if "dataset_dict.json" in inside or {"dataset_info.json", "state.json"} <= inside:
        _need_datasets(shown(path))
        return Source("hub", name, path)
    if any(IDX.search(entry) and "images" in entry.lower() for entry in inside):
        return Source("idx", name, path)
    if next(walk(path), None) is not None:
        return Source("folder", name, path)
    if next(walk(path, suffixes=VIDEO | ARRAYS | ANIMATED), None) is not None:
        return Source("videos", name, path)
    if any(name.lower().endswith(BVH) for name in walk(path, suffixes=(".bvh", ".gz"))):
        return Source("bvh", name, path)
    unread = of_unread(list(walk(path, suffixes=UNREAD)))
    raise DataError(
        f"The folder '{shown(path)}' holds no images and no video, nor does any folder in it. "
        f"Files that end in {' '.join(sorted(SUFFIXES))} are taken for images, and those in {' '.join(sorted(VIDEO))} for "
        f"video.{unread and ' ' + unread}"
    )
