"""Where the frames of clips are while a model learns from them: in memory, in one file on disk, or still encoded.

Frames are brought to their size once and kept as bytes. What would take much memory, or long to decode, is kept in the
cache: the folder `clips/PLACE/STATE` with `pixels.bin` (all frames of all clips, one after another) and `about.json`.
Only the frames that are asked for are read from it, so memory does not grow with the length of a clip.
"""

import json
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from errno import EDQUOT, ENOSPC
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import PIL
from PIL import Image

from unveil.core.cache import cache_root
from unveil.core.errors import DataError, UnveilError
from unveil.core.files import reason, shown
from unveil.core.protocols import Progress
from unveil.data.cache import kept, renamed
from unveil.data.clip_sources import FoundClips
from unveil.data.clips import ArrayClip, Clip
from unveil.data.decoding import UnreadableError, framed
from unveil.data.framing import Frame
from unveil.data.store import digest

Shape = tuple[int, int, int, int]
"""(T, C, H, W) of a clip."""

_VERSION = 2
_MEMORY = 64 << 20  # bytes of frames, in all, that are kept in memory
_EFFORT = (
    1 << 30
)  # bytes of pictures, as they are in the files, that are decoded anew each time: it takes a few seconds


class About(NamedTuple):
    """What is known of a clip beside its frames.

    Attributes:
        name: what it is called on screen.
        item: which of the items that were found holds it.
        shape: (T, C, H, W).
        fps: frames a second; None where nothing says so.
        content: names what it shows.
    """

    name: str
    item: int
    shape: Shape
    fps: float | None
    content: str


class ClipStore(Protocol):
    """Clips whose frames are bytes."""

    @property
    def clips(self) -> Sequence[About]:
        """What is known of each."""
        ...

    @property
    def skipped(self) -> Sequence[tuple[str, str]]:
        """Those that could not be read, and why."""
        ...

    def window(self, row: int, start: int, count: int, step: int) -> np.ndarray:
        """Frames start, start + step, ... of a clip, (count, C, H, W) uint8."""
        ...


@dataclass(frozen=True, eq=False)
class InMemory:
    """All frames in memory."""

    clips: Sequence[About]
    skipped: Sequence[tuple[str, str]]
    blocks: Sequence[np.ndarray] = field(repr=False)

    def window(self, row: int, start: int, count: int, step: int) -> np.ndarray:
        """See `ClipStore`."""
        return self.blocks[row][start : start + (count - 1) * step + 1 : step]


class OnDisk:
    """All frames in one file, of which the asked ones are read each time."""

    def __init__(self, path: Path, clips: Sequence[About], skipped: Sequence[tuple[str, str]]) -> None:
        self.clips, self.skipped = clips, skipped
        self._starts = [0, *accumulate(prod(clip.shape) for clip in clips)]
        self._file = path.open("rb", buffering=0)
        self._turn = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes that the file must have."""
        return self._starts[-1]

    def window(self, row: int, start: int, count: int, step: int) -> np.ndarray:
        """See `ClipStore`."""
        shape = self.clips[row].shape[1:]
        out = np.empty((count, *shape), np.uint8)
        runs = [(start, out)] if step == 1 else [(start + i * step, out[i]) for i in range(count)]
        with self._turn:
            for first, room in runs:
                self._file.seek(self._starts[row] + first * prod(shape))
                self._file.readinto(room.data.cast("B"))
        return out


@dataclass(frozen=True, eq=False)
class Undecoded:
    """Clips as they are, whose frames are decoded when they are asked for."""

    clips: Sequence[About]
    skipped: Sequence[tuple[str, str]]
    encoded: Sequence[Clip] = field(repr=False)
    frame: Frame
    channels: int | None

    def window(self, row: int, start: int, count: int, step: int) -> np.ndarray:
        """See `ClipStore`."""
        clip = self.encoded[row]
        try:
            frames = clip.frames(start, start + (count - 1) * step + 1, step)
            return np.stack([_brought(picture, clip, self.frame, self.channels) for picture in frames])
        except (OSError, UnreadableError) as error:
            raise DataError(f"'{clip.name}' cannot be read as a clip: {reason(error)}.") from None


def store_clips(
    found: FoundClips,
    frame: Frame,
    channels: int | None,
    *,
    cache: str | os.PathLike[str] | bool | None = None,
    progress: Progress | None = None,
) -> ClipStore:
    """Bring all frames of all clips to their size, or fetch what was brought before.

    Args:
        found: the clips.
        frame: the size that frames are brought to.
        channels: 1 turns RGB to grey; otherwise each clip keeps its own channels.
        cache: a folder to keep frames in; True is `cache_root()`, None the same for all but small collections; False
            keeps nothing, and decodes each frame when it is asked for.
        progress: told how many frames are done.

    Raises:
        DataError: no clip at all could be decoded, or one is smaller than the frame.
        UnveilError: the cache cannot be written.
    """
    folder = cache_root() if cache is None or cache is True else Path(cache or "").expanduser()
    kind = f"{_VERSION} {found.place} {frame.stored()} grey={channels == 1}"
    entry = folder / "clips" / digest(kind).hex() / digest(found.state, PIL.__version__).hex()
    keeping = cache is not False and found.place is not None
    if keeping and (store := _open(entry)) is not None:
        return store
    opened, skipped = _opened(found)
    abouts = [_about(clip, item, frame, channels) for item, clip in opened]
    clips = [clip for _, clip in opened]
    if all(
        isinstance(clip, ArrayClip) and clip.pixels.shape == about.shape
        for clip, about in zip(clips, abouts, strict=True)
    ):
        return InMemory(abouts, skipped, [clip.pixels for clip in clips if isinstance(clip, ArrayClip)])
    if cache is False and found.place is not None:
        return Undecoded(abouts, skipped, clips, frame, channels)
    small = sum(prod(about.shape) for about in abouts) <= _MEMORY and sum(clip.effort for clip in clips) <= _EFFORT
    work = _Work(clips, abouts, skipped, frame, channels, progress)
    if not keeping or (cache is None and small):
        return work.into_memory()
    try:
        return kept(entry, _open, work.into_folder)
    except OSError as error:
        raise UnveilError(
            f"The decoded frames cannot be kept in '{shown(folder)}': {reason(error)}. Name a roomier folder in the "
            "environment variable UNVEIL_CACHE; in Python, cache=False decodes frames whenever they are asked for."
        ) from None


def _opened(found: FoundClips) -> tuple[list[tuple[int, Clip]], list[tuple[str, str]]]:
    """The clips of all items that can be opened, each with the number of its item, and those that cannot."""
    clips: list[tuple[int, Clip]] = []
    skipped: list[tuple[str, str]] = []
    for number, item in enumerate(found.items):
        try:
            clips += [(number, clip) for clip in item.open()]
        except (OSError, UnreadableError) as error:
            skipped.append((item.name, reason(error)))
        except DataError as error:
            if len(found.items) == 1:
                raise
            skipped.append((item.name, reason(error)))
    if not clips:
        raise _unreadable(skipped)
    return clips, skipped


def _about(clip: Clip, item: int, frame: Frame, channels: int | None) -> About:
    tall, wide = frame.resampled(*clip.size, f"'{clip.name}'")
    rows, columns = frame.kept(tall, wide)
    shape = (clip.count, min(clip.channels, channels or 3), rows.stop - rows.start, columns.stop - columns.start)
    return About(clip.name, item, shape, clip.fps, clip.content.hex())


def _brought(picture: np.ndarray, clip: Clip, frame: Frame, channels: int | None) -> np.ndarray:
    """One frame (H, W, C) as it is stored, (C, H, W)."""
    image = Image.fromarray(np.ascontiguousarray(picture[..., 0] if picture.shape[2] == 1 else picture))
    return framed(image, frame.resampled(*clip.size, f"'{clip.name}'"), frame, channels)


def _unreadable(skipped: Sequence[tuple[str, str]]) -> DataError:
    name, why = skipped[0]
    if len(skipped) == 1:
        return DataError(f"'{name}' cannot be read as a clip: {why}.")
    return DataError(f"None of the {len(skipped)} clips can be read. The first: '{name}': {why}.")


@dataclass(frozen=True, eq=False)
class _Work:
    """Clips to decode."""

    clips: Sequence[Clip]
    abouts: Sequence[About]
    skipped: Sequence[tuple[str, str]]
    frame: Frame
    channels: int | None
    progress: Progress | None

    def into_memory(self) -> InMemory:
        blocks: list[np.ndarray] = []
        room: list[np.ndarray] = []

        def ended(whole: bool) -> None:
            if whole:
                blocks.append(np.stack(room))
            room.clear()

        abouts, skipped = self._each(room.append, ended)
        return InMemory(abouts, skipped, blocks)

    def into_folder(self, entry: Path) -> None:
        with renamed(entry) as temporary:
            with (temporary / "pixels.bin").open("wb") as file:
                end = 0

                def ended(whole: bool) -> None:
                    nonlocal end
                    end = file.tell() if whole else file.seek(end)
                    file.truncate()

                abouts, skipped = self._each(lambda pixels: file.write(pixels.data), ended)
                file.flush()
                os.fsync(file.fileno())
            about = json.dumps({"clips": abouts, "skipped": skipped})
            (temporary / "about.json").write_text(about, encoding="ascii")

    def _each(
        self, keep: Callable[[np.ndarray], object], ended: Callable[[bool], object]
    ) -> tuple[list[About], list[tuple[str, str]]]:
        """Hand the frames of each clip to `keep` in order, and say of each whether it was whole."""
        total, done = sum(clip.count for clip in self.clips), 0
        abouts, skipped = [], list(self.skipped)
        for clip, about in zip(self.clips, self.abouts, strict=True):
            given = 0
            try:
                for picture in clip.frames():
                    keep(_brought(picture, clip, self.frame, self.channels))
                    given += 1
                    if self.progress is not None:
                        self.progress(done + given, total)
                if given < clip.count:
                    raise UnreadableError(f"it breaks off: {given:,} of {clip.count:,} frames are there")
            except (OSError, UnreadableError) as error:
                if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
                    raise
                skipped.append((clip.name, reason(error)))
                ended(False)
            else:
                abouts.append(about)
                ended(True)
            done += clip.count
        if not abouts:
            raise _unreadable(skipped)
        return abouts, skipped


def _open(entry: Path) -> OnDisk | None:
    """Open what was decoded before, if it is there and whole."""
    try:
        about = json.loads((entry / "about.json").read_text(encoding="ascii"))
        clips = [About(name, item, tuple(shape), fps, content) for name, item, shape, fps, content in about["clips"]]
        store = OnDisk(entry / "pixels.bin", clips, [(name, why) for name, why in about["skipped"]])
        return store if (entry / "pixels.bin").stat().st_size == store.size else None
    except Exception:  # not there, or cut short in any way: it is written anew
        return None
