"""Files of video, through PyAV: an index of their frames, and any of them without decoding those before the last key.

A video holds a whole picture now and then, a key frame, and between them only what changes. The index tells when each
frame is shown and which are keys, and is read from the file's packets without decoding a picture.
"""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from unveil.core.files import reason, shown
from unveil.data.clips import check_fps, some_bytes
from unveil.data.decoding import UnreadableError
from unveil.data.writing import need_av

_HIDDEN = ("vp8",)  # holds packets that are never shown, so that only decoding tells how many frames there are


def load_av() -> ModuleType:
    """The library that reads and writes video.

    Raises:
        MissingDependencyError: it is not installed.
    """
    need_av()
    import av

    return av


@dataclass(frozen=True, eq=False)
class VideoFile:
    """The first stream of pictures of a video file. Every reading opens the file anew, so threads may share it.

    Attributes:
        times: when each frame is shown, in units of the stream, rising, (count,).
        keys: the times of the frames that can be decoded by themselves; none where frames are told by their order alone.
        turned: by how many quarter turns to the left frames are brought upright.
    """

    name: str
    path: Path
    size: tuple[int, int]
    channels: int
    fps: float | None
    times: np.ndarray = field(repr=False)
    keys: np.ndarray = field(repr=False)
    turned: int = 0

    @classmethod
    def open(cls, path: Path) -> "VideoFile":
        """Index the frames of a file.

        Raises:
            UnreadableError: it is damaged, no video, or holds no pictures.
            MissingDependencyError: PyAV is not installed.
        """
        with _stream(path) as (container, stream):
            rate = stream.average_rate or stream.guessed_rate
            fps = check_fps(None if not rate else float(rate), shown(path))
            first = next(iter(container.decode(stream)), None)
            if first is None:
                raise UnreadableError("no frame of it can be decoded")
            turned = round((first.rotation or 0) / 90) % 4
            height, width = first.height, first.width
            grey = first.format.name.startswith("gray")
            promised = stream.frames
        times, keys = _index(path)
        if len(times) < promised:
            raise UnreadableError(f"it breaks off: {len(times):,} of {promised:,} frames are there")
        size = (width, height) if turned % 2 else (height, width)
        return cls(shown(path), path, size, 1 if grey else 3, fps, times, keys, turned)

    @property
    def count(self) -> int:
        """How many frames."""
        return len(self.times)

    @cached_property
    def content(self) -> bytes:
        """From some of the file's bytes."""
        return some_bytes(self.path)

    @property
    def effort(self) -> int:
        """Bytes of all frames, decoded."""
        return 3 * self.count * self.size[0] * self.size[1]

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[np.ndarray]:
        """See `unveil.data.clips.Clip`; decoding begins at the last key frame before `start`."""
        wanted = range(self.count)[start:stop:step]
        if not len(wanted):
            return
        ahead = bisect_right(self.keys, self.times[wanted[0]]) - 1
        key = int(self.keys[ahead]) if ahead > 0 else None
        given = 0
        for begin in dict.fromkeys((key, None)):  # where the file's own index leads past a frame, from the beginning
            for frame, number in self._decoded(begin):
                if begin is not None and (number is None or number > wanted[given]):
                    break
                if number == wanted[given]:
                    yield self._pixels(frame)
                    given += 1
                    if given == len(wanted):
                        return
        raise UnreadableError(f"it breaks off: frame {wanted[given]:,} of {self.count:,} cannot be decoded")

    def _decoded(self, key: int | None) -> Iterator[tuple[Any, int | None]]:
        """Frames from a key frame on, or from the beginning, each with its number; None where it is not in the index."""
        with _stream(self.path) as (container, stream):
            stream.thread_type = "AUTO"
            if key is not None:
                container.seek(key, stream=stream)
            for shown_before, frame in enumerate(container.decode(stream)):
                if not len(self.keys):
                    yield frame, shown_before
                elif frame.pts is None:
                    yield frame, None
                else:
                    number = int(np.searchsorted(self.times, frame.pts))
                    known = number < self.count and self.times[number] == frame.pts
                    yield frame, number if known else None

    def _pixels(self, frame: Any) -> np.ndarray:
        size = (frame.width, frame.height) if self.turned % 2 else (frame.height, frame.width)
        if size != self.size:
            raise UnreadableError(
                f"its frames differ in size: the first is {self.size[0]}x{self.size[1]} pixels (height x width), a later one "
                f"{size[0]}x{size[1]}"
            )
        pixels = frame.to_ndarray(format="gray" if self.channels == 1 else "rgb24")
        return np.rot90(pixels.reshape(*pixels.shape[:2], self.channels), self.turned)


@contextmanager
def _stream(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a file and its first stream of pictures; whatever goes wrong inside becomes one kind of error."""
    av = load_av()
    try:
        with av.open(str(path), metadata_errors="replace") as container:  # titles may be in any encoding
            if not container.streams.video:
                kinds = " and ".join(sorted({stream.type for stream in container.streams}))
                raise UnreadableError("it holds no pictures" + (f", only {kinds}" if kinds else ""))
            yield container, container.streams.video[0]
    except av.FFmpegError as error:
        raise UnreadableError((error.strerror or reason(error)).rstrip(".").lower()) from None


def _index(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """When frames are shown, and which of those times are of key frames."""
    with _stream(path) as (container, stream):
        # One packet after another: together they are the whole file.
        seen = [(p.pts, p.is_keyframe) for p in container.demux(stream) if p.size and not p.is_discard]
        times, keys = [pts for pts, _ in seen], [pts for pts, key in seen if key]
        told = None not in times and len(set(times)) == len(times) and stream.codec_context.name not in _HIDDEN
    if told:
        return np.array(sorted(times)), np.array(sorted(keys))
    with _stream(path) as (container, stream):
        times = [frame.pts for frame in container.decode(stream)]
    return np.arange(len(times)), np.array([], int)  # nothing but the order tells them apart
