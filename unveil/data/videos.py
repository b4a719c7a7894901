"""Clips from any source, as batches of windows (B, T, C, H, W) in [-1, 1] that are fetched by index."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Progress
from unveil.core.random import Randomness, Streams, rand
from unveil.data.clip_sources import FoundClips, Item, clips_of_array, find_clips
from unveil.data.clip_store import About, ClipStore, store_clips
from unveil.data.decoding import check_channels
from unveil.data.found import held_out_fifth
from unveil.data.framing import Crop, Frame
from unveil.data.moving_digits import MovingDigits, Walls, open_moving_digits
from unveil.data.places import Index, checked_places
from unveil.data.sources import check_source
from unveil.data.split import Split, check_split
from unveil.data.store import digest

_EPOCH = 1000  # a few clips stand for about this many windows
_FEWEST = 5  # clips, of which one can be held out; of fewer the last fifth of the time is


@dataclass(frozen=True, eq=False)
class Videos:
    """Windows of clips, all of one shape.

    There are more places than clips where clips are few: place i is a window of clip i mod `clips`, so that `len` is about
    a thousand at least.

    Attributes:
        name: a short name of the source.
        shape: (T, C, H, W) of each sample.
        strides: how many frames of the clip one frame of a sample goes on; one of these is drawn for each sample.
        windows: how many places a clip takes.
        flip: whether samples are mirrored at random, all frames alike.
        fps: frames a second of each clip as it is played, None where nothing says so.
        names: what each clip is called.
        skipped: clips of the source (of all its parts) that cannot be read, and why.
        notes: sentences on what else a user should know.
        frame: how frames were brought to their size.
        store: the frames of all clips.
        spans: the clip of the store, the first frame and the end of each clip, (clips, 3).
        classes, class_names: None.
        levels: how many values a pixel takes.
    """

    name: str
    shape: tuple[int, int, int, int]
    frame: Frame
    strides: tuple[int, ...] = (1,)
    windows: int = 1
    flip: bool = False
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    store: ClipStore = field(kw_only=True, repr=False)
    spans: np.ndarray = field(kw_only=True, repr=False)

    classes = None
    class_names = None
    levels = 256

    def __len__(self) -> int:
        return len(self.spans) * self.windows

    @property
    def clips(self) -> int:
        """How many clips there are."""
        return len(self.spans)

    @property
    def names(self) -> list[str]:
        """What each clip is called."""
        return [self.store.clips[row].name for row in self.spans[:, 0].tolist()]

    @property
    def fps(self) -> list[float | None]:
        """Frames a second of each clip."""
        return [self.store.clips[row].fps for row in self.spans[:, 0].tolist()]

    @cached_property
    def fingerprint(self) -> str:
        """Names what `batch` gives without a generator: equal windows in equal order have equal fingerprints."""
        how = f"{self.shape} {self.frame} {self.strides} {self.windows}"
        clips = [f"{self.store.clips[row].content} {start} {stop}" for row, start, stop in self.spans.tolist()]
        return digest(how, *clips).hex()

    def batch(self, index: Index, generator: Randomness = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Fetch windows: x (B, T, C, H, W), float32 in [-1, 1], and {}; where there are several strides
        {"stride": (B,)}, in units of the smallest.

        A pure function of its arguments, which several threads may call. The stride, the first frame (evenly among all
        that leave room), the crop and the flip are drawn from `generator`, the same five numbers for each row. Without one
        nothing is flipped, crops are of the centre, a clip's first place is its beginning, and its other places begin
        where the index alone says.

        Raises:
            IndexError: an index is not in 0 .. len - 1.
        """
        places = checked_places(index, len(self), self.name)
        chance = self._chance(places, generator)
        length, channels, tall, wide = self.shape
        out = np.empty((len(places), length, channels, tall, wide), np.uint8)
        strides = np.array(self.strides)[(chance[:, 0] * len(self.strides)).astype(int)]
        for i, (clip, stride) in enumerate(zip((places % self.clips).tolist(), strides.tolist(), strict=True)):
            row, first, stop = self.spans[clip].tolist()
            room = stop - first - (length - 1) * stride  # as many beginnings
            frames = self.store.window(row, first + int(chance[i, 1] * room), length, stride)
            top, left = (
                int(chance[i, 2 + axis] * (frames.shape[2 + axis] - self.shape[2 + axis] + 1)) for axis in (0, 1)
            )
            out[i] = frames[:, :, top : top + tall, left : left + wide]  # a grey clip fills all channels
        x = torch.from_numpy(out)
        if self.flip:
            mirrored = torch.from_numpy(chance[:, 4] < 0.5)
            x[mirrored] = x[mirrored].flip(-1)
        cond = {"stride": torch.from_numpy(strides // min(self.strides))} if len(self.strides) > 1 else {}
        return x.float().div_(127.5).sub_(1), cond

    def _chance(self, places: np.ndarray, generator: Randomness) -> np.ndarray:
        """What decides the stride, the beginning, the top, the left and the flip of each row, in [0, 1), (B, 5)."""
        shape = (len(places), 5)
        if generator is None:
            chance = Streams(0, places.tolist()).rand(shape, torch.float64).numpy()
            chance[places < self.clips, :2] = 0
            chance[:, 2:] = 0.5, 0.5, 1
            return chance
        device = generator.device if isinstance(generator, torch.Generator) else None
        return rand(shape, generator, dtype=torch.float64, device=device).cpu().numpy()


def open_videos(
    source: str | os.PathLike[str] | np.ndarray | Tensor,
    *,
    frames: int,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    stride: int | Sequence[int] = 1,
    split: Split = "train",
    crop: Crop | None = None,
    resize: int | bool | None = None,
    upsample: bool | None = None,
    flip: bool = False,
    limit: int | None = None,
    windows: int | None = None,
    digits: int | None = None,
    walls: Walls | None = None,
    cache: str | os.PathLike[str] | bool | None = None,
    progress: Progress | None = None,
) -> Videos | MovingDigits:
    """Open clips from any source.

    Sources: a video (mp4, webm and others; needs PyAV), a gif, an .npz or .npy file (`unveil.data.clip_sources` tells of
    their shapes), a folder that holds any of these at any depth, a folder of frames or of folders of frames, an array or
    tensor, and `moving-digits` (`unveil.data.moving_digits`), also `moving-digits:PATH` with pictures of your own.

    Everything is decoded once and brought to its size; what is large is then kept on disk, and only the frames of a batch
    are read from there, so memory does not grow with the length of a clip.

    Args:
        source: the source.
        frames: how many frames a sample has.
        size: height and width of a frame, one number for a square; None keeps the clips', if they have one size.
        channels: 1 for grey, 3 for RGB; None takes RGB if any clip is in colour.
        stride: every how many frames of a clip one is taken; of several one is drawn for each sample.
        split: "train" or "test", or "all". A source's own parts (folders `train` and `test`); else a fifth of the clips,
            told by their contents, is for testing; of fewer than five clips the last fifth of each one's time.
        crop: "center", "random" (one place for all frames of a sample), or "none", which changes the proportions.
        resize: before a crop, True shrinks a frame until it just covers the size, a number shrinks its short side to that
            many pixels, False keeps its own pixels.
        upsample: whether smaller frames may be enlarged.
        flip: mirror samples left to right at random, all frames alike.
        limit: at most this many clips, spread evenly over the split.
        windows: how many places each clip takes in the data set; by default so many that there are at least a thousand.
        digits: how many fly in a clip of `moving-digits`; two by default.
        walls: where they go from a wall: anywhere ("chance", the default), or thrown back ("mirror").
        cache: where frames are kept; see `unveil.data.clip_store.store_clips`.
        progress: told how many frames are decoded.

    Raises:
        DataError: the source is missing, empty, damaged or of no known kind, its clips are shorter than a sample, or
            their frames do not fit the size.
        ConfigError: an option has no meaning.
    """
    check_channels(channels)
    check_whole("frames", frames)
    strides = (stride,) if isinstance(stride, int) else tuple(stride)
    for number in strides:
        check_whole("stride", number)
    if not strides:
        raise ConfigError("stride is empty; give a whole number, or several to draw from.")
    check_split(split)
    for option, value in (("limit", limit), ("windows", windows)):
        if value is not None:
            check_whole(option, value)
    side = (size, size) if isinstance(size, int) else size and (size[0], size[1])
    name, found = "array", None
    if isinstance(source, (Tensor, np.ndarray)):
        found = _in_memory(source)
    else:
        place = check_source(source)
        name = place.name
        if place.kind == "moving-digits":
            told = {"crop": crop, "resize": resize, "upsample": upsample, "flip": flip or None}
            return open_moving_digits(
                place.path,
                frames=frames,
                size=side,
                channels=channels,
                strides=strides,
                split=split,
                limit=limit,
                digits=2 if digits is None else digits,
                walls=walls or "chance",
                unfit=[key for key in told if told[key] is not None],
            )
        found = find_clips(place)
    if digits is not None:
        raise ConfigError("digits tells how many fly in the clips of moving-digits; leave it out for other clips.")
    if walls is not None:
        raise ConfigError("walls tells what those of moving-digits do; leave it out for other clips.")
    frame = Frame(side, crop or "center", True if resize is None else resize, bool(upsample))
    store = store_clips(found, frame, channels, cache=cache, progress=progress)
    need = (frames - 1) * max(strides) + 1
    spans, notes = _spans(store.clips, found, split, need, name)
    if limit is not None and limit < len(spans):
        spans = spans[np.arange(limit) * len(spans) // limit]
    tall, wide = side or _one_size(store.clips)
    return Videos(
        name,
        (frames, channels or max(clip.shape[1] for clip in store.clips), tall, wide),
        frame,
        strides,
        windows or math.ceil(_EPOCH / len(spans)),
        flip,
        [*found.skipped, *store.skipped],
        (*found.notes, *notes),
        store=store,
        spans=spans,
    )


def _in_memory(source: np.ndarray | Tensor) -> FoundClips:
    if isinstance(source, Tensor):
        source = (source.float() if source.dtype == torch.bfloat16 else source).detach().cpu().numpy()
    array = source
    return FoundClips([Item("the array", lambda: clips_of_array(array, "the array"))])


def _spans(
    clips: Sequence[About], found: FoundClips, split: Split, need: int, name: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The clip, its first frame and its end for each clip of a split, (n, 3)."""
    rows, counts = np.arange(len(clips)), np.array([clip.shape[0] for clip in clips])
    starts, stops, notes = np.zeros_like(counts), counts.copy(), []
    test = split == "test"
    if split != "all" and found.held_out is not None:
        rows = np.flatnonzero(np.array([found.held_out[clip.item] for clip in clips]) == test)
    elif split != "all":
        held = held_out_fifth([bytes.fromhex(clip.content) for clip in clips])
        if held.any() and len(clips) >= _FEWEST:
            rows = np.flatnonzero(held == test)
        else:
            cuts = counts - counts // 5
            starts, stops = (cuts, stops) if test else (starts, cuts)
            notes.append("The clips are few, so the last fifth of each one's time is kept for testing.")
    if not len(rows):
        raise DataError(f"No clip of the {split} part of '{name}' can be read.")
    lengths = (stops - starts)[rows]
    if (lengths < need).any():
        raise DataError(_too_short([clips[row] for row in rows.tolist()], lengths, need, split, bool(notes)))
    rates = {round(rate, 2) for row in rows.tolist() if (rate := clips[row].fps) is not None}
    if len(rates) > 1 and max(rates) > 1.1 * min(rates):
        notes.append(
            f"The clips play {min(rates):g} to {max(rates):g} frames a second; frames are taken as they come, so motion is "
            "faster in some samples than in others."
        )
    return np.stack([rows, starts[rows], stops[rows]], 1), tuple(notes)


def _too_short(clips: Sequence[About], lengths: np.ndarray, need: int, split: Split, by_time: bool) -> str:
    short = np.flatnonzero(lengths < need)
    worst = int(short[lengths[short].argmin()])
    whole, count = clips[worst].shape[0], int(lengths[worst])
    part = f" in its {split} part ({'the last fifth' if split == 'test' else 'all but the last fifth'} of {whole})"
    many = f"{len(short)} of {len(clips)} clips are" if len(clips) > 1 else f"The clip '{clips[worst].name}' is"
    shortest = f"; the shortest, '{clips[worst].name}', has" if len(clips) > 1 else ": it has"
    use = ", take all of the clip (split all)" if by_time else ""
    return (
        f"{many} too short: a sample needs {need} frames in a row{shortest} {count}{part if by_time else ''}. Give longer "
        f"clips, leave the short ones out, or ask for fewer frames or a smaller stride{use}."
    )


def _one_size(clips: Sequence[About]) -> tuple[int, int]:
    first = clips[0]
    for other in clips:
        if other.shape[2:] != first.shape[2:]:
            raise DataError(
                f"The clips differ in size: '{first.name}' is {first.shape[2]}x{first.shape[3]} pixels (height x width), "
                f"'{other.name}' is {other.shape[2]}x{other.shape[3]}. Say which size you want, such as 64 for squares (in a "
                "recipe data.size=64)."
            )
    return first.shape[2], first.shape[3]
