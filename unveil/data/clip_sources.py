"""From whatever a user calls video to clips, found but not yet opened.

Arrays are one clip, (T, H, W, C), (T, C, H, W) or (T, H, W) for grey, or many, (N, T, H, W, C), (N, T, C, H, W) or
(N, T, H, W) for grey: of four axes none of which can be channels, the second is time. Only an array of the shape of the
public Moving MNIST test set, (20, 10000, 64, 64), is taken with time first. Numbers are those of pictures
(`unveil.data.arrays`), and floats are rounded to 8 bits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from unveil.core.errors import DataError
from unveil.core.files import shown
from unveil.data.arrays import as_block, readable
from unveil.data.clips import Animation, ArrayClip, Clip, FolderClip, check_fps
from unveil.data.decoding import UnreadableError
from unveil.data.files import as_encoded
from unveil.data.folders import ANIMATED, ARRAYS, SUFFIXES, VIDEO, in_parts, walk
from unveil.data.sources import Source
from unveil.data.video_file import VideoFile

ACCEPTED = (
    "a video (mp4, webm, ...), a gif, a folder of those, a folder of frames or of folders of frames, an .npz or .npy file "
    "of frames, or moving-digits"
)
_KEYS = ("frames", "video", "videos", "clips", "x", "data")
_TIME_FIRST = (20, 10000, 64, 64)


@dataclass(frozen=True, eq=False)
class Item:
    """A file or a folder that holds a clip or several."""

    name: str
    open: Callable[[], Sequence[Clip]] = field(repr=False)


@dataclass(frozen=True, eq=False)
class FoundClips:
    """The clips of a source.

    Attributes:
        items: where they are.
        held_out: which items are in the source's own test part; None if it has none.
        skipped: folders that could not be opened, and why.
        place: where they lie on disk; None where they are in memory.
        state: changes whenever any of them does.
        notes: sentences on what was passed over.
    """

    items: Sequence[Item]
    held_out: tuple[bool, ...] | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    place: str | None = None
    state: str = ""
    notes: tuple[str, ...] = ()


def find_clips(source: Source) -> FoundClips:
    """List the clips of a source that lies on disk.

    Raises:
        DataError: it holds none.
    """
    path = source.path
    if source.kind in ("motions", "bvh"):
        raise DataError(f"'{source.name}' holds motions of people, not clips; give {ACCEPTED}.")
    if path is None or source.kind in ("idx", "hub"):
        raise DataError(f"'{source.name}' holds pictures, not clips; give {ACCEPTED}.")
    if source.kind in ("folder", "videos"):
        return _folder(path)
    if source.kind == "image" and path.suffix.lower() not in ANIMATED | {".webp", ".png"}:
        raise DataError(f"'{shown(path)}' is one picture, not a clip; give {ACCEPTED}.")
    return _listed([Item(shown(path), _opener(path))], [path], shown(path.resolve()))


def clips_of_array(array: np.ndarray, where: str, fps: float | None = None) -> list[ArrayClip]:
    """Take the clips of an array apart.

    Raises:
        DataError: its shape or its numbers are none of those accepted.
    """
    channels = array.ndim == 4 and bool({1, 3} & {array.shape[1], array.shape[3]})
    many = array.ndim == 5 or (array.ndim == 4 and not channels)
    if array.ndim == 4 and many and array.shape[3] in (2, 4) and array.shape[2] >= 8:  # no video is so narrow
        raise DataError(
            f"{where} has the shape {array.shape}, as of frames with {array.shape[3]} channels; clips have 1 (grey) or 3 "
            "(RGB), so leave the transparency out."
        )
    if array.ndim not in (3, 4, 5) or 0 in array.shape:
        raise DataError(
            f"{where} has the shape {array.shape}; a clip is (T, H, W, C), (T, C, H, W) or, if grey, (T, H, W), and many "
            "clips of one length have an axis more in front."
        )
    if array.shape == _TIME_FIRST:
        array = array.swapaxes(0, 1)
    count, length = (len(array), array.shape[1]) if many else (1, len(array))
    frames = array.reshape(count * length, *array.shape[1 + many :])
    block = as_block(frames[:, None] if frames.ndim == 3 else frames, where)
    if block.pixels.shape[1] not in (1, 3):
        raise DataError(f"{where} has {block.pixels.shape[1]} channels; clips have 1 (grey) or 3 (RGB).")
    pixels = block.pixels if block.levels is not None else ((block.pixels + 1) * 127.5).round().astype(np.uint8)
    clips = pixels.reshape(count, length, *pixels.shape[1:])
    return [ArrayClip(f"clip {i} of {where}" if many else where, clip, fps) for i, clip in enumerate(clips)]


def _opener(path: Path) -> Callable[[], Sequence[Clip]]:
    suffix = path.suffix.lower()
    if suffix in VIDEO:
        return lambda: [VideoFile.open(path)]
    if suffix == ".npz":
        return lambda: _archive(path)
    if suffix == ".npy":
        return lambda: _array(path)
    return lambda: [_animation(path)]


def _animation(path: Path) -> Animation:
    clip = Animation.open(path)
    if clip.count == 1:
        raise UnreadableError("it holds one picture and does not move")
    return clip


def _array(path: Path) -> list[ArrayClip]:
    with readable(path):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    return clips_of_array(array, shown(path))


def _archive(path: Path) -> list[ArrayClip]:
    with readable(path), np.load(path, allow_pickle=False) as file:
        keys = {key.lower(): key for key in file.files}
        rate = next((keys[name] for name in ("fps", "frame_rate") if name in keys), None)
        fps = None
        if rate is not None:
            numbers = np.asarray(file[rate]).reshape(-1)
            if numbers.dtype.kind not in "iuf" or len(numbers) != 1:
                raise UnreadableError(f"its {rate} is no single number")
            fps = check_fps(float(numbers[0]), shown(path))
        known = next((keys[name] for name in _KEYS if name in keys), None)
        arrays = {key: file[key] for key in ([known] if known else file.files)}
    found = {key: array for key, array in arrays.items() if array.ndim in (3, 4, 5)}
    if not found:
        held = ", ".join(f"{shown(key)} {array.shape}" for key, array in arrays.items()) or "nothing"
        raise UnreadableError(f"it holds {held}; a clip is an array (T, H, W, C), called frames")
    clips = []
    for key, array in found.items():
        clips += clips_of_array(array, shown(path) if len(found) == 1 else f"{shown(key)} of {shown(path)}", fps)
    return clips


def _folder(folder: Path) -> FoundClips:
    closed: list[tuple[str, str]] = []
    moving = VIDEO | ANIMATED | ARRAYS
    files, held_out = in_parts(list(walk(folder, closed, moving | SUFFIXES)))
    parts = dict(zip(files, held_out or [False] * len(files), strict=True))
    inside: dict[Path, list[str]] = {}
    for file in files:
        inside.setdefault(Path(file).parent, []).append(file)
    items, sides, stills = [], [], 0
    for place, names in inside.items():
        clips = [name for name in names if Path(name).suffix.lower() in moving]
        for name in clips:
            items.append(Item(shown(folder / name), _opener(folder / name)))
            sides.append(parts[name])
        if clips:
            stills += len(names) - len(clips)
        else:
            items.append(
                Item(shown(folder / place), _frames_opener(folder / place, [Path(name).name for name in names]))
            )
            sides.append(parts[names[0]])
    if not items:
        raise DataError(f"The folder '{shown(folder)}' holds no clips, nor does any folder in it; give {ACCEPTED}.")
    notes = (f"{stills} pictures that lie beside clips are passed over.",) if stills else ()
    paths = [folder / file for file in files]
    found = _listed(items, paths, shown(folder.resolve()))
    return replace(found, held_out=tuple(sides) if held_out is not None else None, skipped=tuple(closed), notes=notes)


def _frames_opener(folder: Path, names: list[str]) -> Callable[[], Sequence[Clip]]:
    return lambda: [FolderClip.open(folder, names)]


def _listed(items: list[Item], paths: list[Path], place: str) -> FoundClips:
    return FoundClips(items, place=place, state=as_encoded(paths, place).state)
