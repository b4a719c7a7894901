"""Clips as they lie on disk or in memory: how many frames there are, and some of them in order.

A clip of frames in a folder is read picture by picture, one in an array row by row, an animation from its beginning.
Files of video are in `unveil.data.video_file`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from unveil.core.errors import DataError
from unveil.core.files import reason, shown
from unveil.data.decoding import UnreadableError, decode, flatten
from unveil.data.framing import Frame
from unveil.data.store import digest

FPS = 12.5
"""Frames a second of clips that do not say."""
_UNHURRIED = 0.02  # seconds: an animation whose frames are shorter is shown at ten frames a second, as browsers do
_PIECE = 1 << 20


class Clip(Protocol):
    """Frames in order."""

    @property
    def name(self) -> str:
        """What the clip is called on screen."""
        ...

    @property
    def count(self) -> int:
        """How many frames."""
        ...

    @property
    def fps(self) -> float | None:
        """Frames a second; None where nothing says so."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every frame."""
        ...

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        ...

    @property
    def content(self) -> bytes:
        """Names what the clip shows, from samples of its bytes."""
        ...

    @property
    def effort(self) -> int:
        """How many bytes are decoded, at least, to see all of it."""
        ...

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[np.ndarray]:
        """Frames start, start + step, ... before stop, each (H, W, channels) uint8.

        Raises:
            UnreadableError: the clip is damaged, or one of its frames is of another size.
        """
        ...


def check_fps(fps: float | None, name: str) -> float | None:
    """A rate that can be, or None where there is none.

    Raises:
        UnreadableError: it is not above 0, or beyond all cameras.
    """
    if fps is not None and not 0 < fps <= 100_000:
        raise UnreadableError(f"it says that it plays {fps:g} frames a second, which cannot be")
    return fps


@dataclass(frozen=True, eq=False)
class ArrayClip:
    """Frames of an array, (T, C, H, W) uint8, which may be mapped from a file."""

    name: str
    pixels: np.ndarray = field(repr=False)
    fps: float | None = None

    @property
    def count(self) -> int:
        """How many frames."""
        return len(self.pixels)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[2], self.pixels.shape[3]

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.pixels.shape[1]

    @property
    def content(self) -> bytes:
        """From the first, the last and some frames between."""
        some = np.unique(np.linspace(0, self.count - 1, 5).astype(int))
        return digest(str(self.pixels.shape), np.ascontiguousarray(self.pixels[some]))

    @property
    def effort(self) -> int:
        """Bytes of all frames."""
        return self.pixels.nbytes // 16  # there is nothing to decode

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[np.ndarray]:
        """See `Clip`."""
        for picture in self.pixels[start:stop:step]:
            yield picture.transpose(1, 2, 0)


@dataclass(frozen=True, eq=False)
class FolderClip:
    """Frames that are the pictures of a folder, in the order of the numbers in their names."""

    name: str
    paths: Sequence[Path] = field(repr=False)
    size: tuple[int, int]
    channels: int
    fps: float | None = None

    @classmethod
    def open(cls, folder: Path, names: Sequence[str]) -> "FolderClip":
        """Look at the first picture of those named.

        Raises:
            UnreadableError: it is none.
        """
        paths = [folder / name for name in sorted(names, key=in_order)]
        first = _picture(paths[0])
        return cls(shown(folder), paths, (first.shape[0], first.shape[1]), first.shape[2])

    @property
    def count(self) -> int:
        """How many frames."""
        return len(self.paths)

    @property
    def content(self) -> bytes:
        """From the first, the last and some pictures between."""
        some = np.unique(np.linspace(0, self.count - 1, 3).astype(int))
        return digest(str(self.count), *(self.paths[i].read_bytes() for i in some))

    @property
    def effort(self) -> int:
        """Bytes of all frames."""
        return self.count * self.size[0] * self.size[1] * self.channels

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[np.ndarray]:
        """See `Clip`."""
        for path in self.paths[start:stop:step]:
            picture = _picture(path)
            if picture.shape[:2] != self.size:
                raise UnreadableError(_other_size(path.name, picture.shape[:2], self.paths[0].name, self.size))
            yield np.broadcast_to(picture, (*self.size, self.channels)) if self.channels == 3 else _grey(picture)


def _other_size(name: str, size: tuple[int, ...], first: str, usual: tuple[int, int]) -> str:
    return (
        f"its frames differ in size: {shown(first)} is {usual[0]}x{usual[1]} pixels (height x width), {shown(name)} is "
        f"{size[0]}x{size[1]}"
    )


def _picture(path: Path) -> np.ndarray:
    """One picture, (H, W, 1 or 3)."""
    try:
        return decode(path.read_bytes(), shown(path), Frame(), None)[0].transpose(1, 2, 0)
    except (OSError, UnreadableError) as error:
        raise UnreadableError(f"its frame {shown(path.name)} cannot be read: {reason(error)}") from None


def _grey(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("L"))[..., None] if picture.shape[2] == 3 else picture


def in_order(name: str) -> list[tuple[int, str]]:
    """A key that puts frame 2 before frame 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


@dataclass(frozen=True, eq=False)
class Animation:
    """A GIF, an APNG or an animated WebP, white where it is transparent; it is read from its beginning each time."""

    name: str
    path: Path
    count: int
    size: tuple[int, int]
    fps: float | None
    channels: int = 3

    @classmethod
    def open(cls, path: Path) -> "Animation":
        """Look through a file for its frames, without keeping any.

        Raises:
            UnreadableError: it is no picture, or damaged.
        """
        try:
            with Image.open(path) as image:
                seconds = [frame.info.get("duration", 0) / 1000 for frame in ImageSequence.Iterator(image)]
                size = image.height, image.width
        except Image.DecompressionBombError:
            raise UnreadableError("its frames are too large, perhaps to do harm") from None
        except UnidentifiedImageError:
            raise UnreadableError("it is not an animation, or its beginning is damaged") from None
        except Exception as error:  # damaged bytes make Pillow's readers raise nearly anything
            raise UnreadableError(reason(error)) from None
        shown_for = float(np.mean([s if s >= _UNHURRIED else 0.1 for s in seconds]))
        return cls(shown(path), path, len(seconds), size, 1 / shown_for)

    @property
    def content(self) -> bytes:
        """From some of the file's bytes."""
        return some_bytes(self.path)

    @property
    def effort(self) -> int:
        """Bytes of all frames."""
        return 3 * self.count * self.size[0] * self.size[1]

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[np.ndarray]:
        """See `Clip`."""
        wanted = range(self.count)[start:stop:step]
        try:
            with Image.open(self.path) as image:
                for number in wanted:
                    image.seek(number)
                    yield np.asarray(flatten(image, "white").convert("RGB"))
        except Exception as error:
            raise UnreadableError(reason(error)) from None


def some_bytes(path: Path) -> bytes:
    """A digest of a file's size and of its first, middle and last megabyte: enough to tell clips apart."""
    size = path.stat().st_size
    with path.open("rb") as file:
        pieces = []
        for place in (0, max(0, size // 2 - _PIECE // 2), max(0, size - _PIECE)):
            file.seek(place)
            pieces.append(file.read(_PIECE))
    return digest(str(size), *pieces)


def take(clip: Clip, start: int, count: int, step: int = 1) -> np.ndarray:
    """Some frames of a clip as one block, (count, H, W, channels) uint8.

    Raises:
        DataError: the clip is damaged, or ends before.
    """
    last = start + (count - 1) * step
    if last >= clip.count:
        raise DataError(f"'{clip.name}' has {clip.count} frames; frame {last} was asked for.")
    try:
        found = [np.asarray(frame) for frame in clip.frames(start, last + 1, step)]
    except (OSError, UnreadableError) as error:
        raise DataError(f"'{clip.name}' cannot be read as a clip: {reason(error)}.") from None
    return np.stack(found)
