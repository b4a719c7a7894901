"""The frames of a clip that a model is told, brought to its size, and those that it is compared with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.files import shown
from unveil.data.clips import FPS, take
from unveil.data.decoding import framed
from unveil.data.framing import Frame
from unveil.data.sources import check_source
from unveil.data.video import open_clip
from unveil.data.videos import open_videos
from unveil.recipes import Recipe
from unveil.tasks.report import Report


@dataclass(frozen=True)
class Given:
    """What was read of a clip.

    Attributes:
        frames: those that a model is told, (T, C, H, W) in [-1, 1], in order; None for none.
        truth: these and those between, before or after them, where the clip has all of them.
        fps: frames a second.
    """

    frames: Tensor | None
    truth: Tensor | None
    fps: float


def read_known(
    recipe: Recipe,
    shape: Sequence[int],
    clip: str | Path | None,
    known: int,
    gap: int,
    n: int,
    task: str,
    start: int,
    number: int,
    report: Report,
) -> Given:
    """Read the frames that a task needs.

    Args:
        recipe: of the run, which tells how frames come to their size and how far apart they are.
        shape: of the model's frames, (C, H, W).
        clip: where they are; None for nothing.
        known: how many a model is told.
        gap: how many to leave out between the past and the future of these.
        n: how many will be made.
        task: what for.
        start: the first known frame of the clip.
        number: which clip of moving-digits.
        report: told if frames are of another size.

    Raises:
        DataError: the clip cannot be read, or has too few frames.
    """
    if clip is None:
        return Given(None, None, FPS)
    stride, before = recipe.data.stride, getattr(recipe.model, "past", 0)
    held = [*range(before), *range(before + gap, known + gap)] if gap else list(range(known))
    ahead, behind = (n if task == "past" else 0), (n if task == "predict" else 0)
    need = known + gap
    last = start + (need - 1) * stride
    first, end = start - ahead * stride, last + behind * stride
    moving = check_source(clip).kind == "moving-digits"
    frames = _digits(clip, recipe, number, shape, end + 1) if moving else _file(clip, recipe, shape)
    if last >= frames.total:
        raise DataError(
            f"'{shown(clip)}' has {frames.total} frames, and {last + 1} are needed: {need} from frame {start} on"
            + (f", every {stride}." if stride > 1 else ".")
        )
    if frames.note:
        report.say(frames.note)
    told = frames.read(start, need, stride)
    fps = frames.fps / stride
    if not (gap or ahead or behind) or first < 0 or end >= frames.total:
        return Given(told[held], None, fps)
    return Given(told[held], frames.read(first, ahead + need + behind, stride), fps)


def read_whole(
    recipe: Recipe, shape: Sequence[int], clip: str | Path, start: int, usual: int, number: int, report: Report
) -> Given:
    """Read all frames of a clip from one on; of moving-digits, which has no end, as many as are usual.

    Raises:
        DataError: the clip cannot be read, or has fewer than two frames.
    """
    stride = recipe.data.stride
    moving = check_source(clip).kind == "moving-digits"
    frames = _digits(clip, recipe, number, shape, start + usual) if moving else _file(clip, recipe, shape)
    count = (frames.total - start - 1) // stride + 1
    if count < 2:
        raise DataError(f"'{shown(clip)}' has {frames.total} frames, and two or more are needed from frame {start} on.")
    if frames.note:
        report.say(frames.note)
    x = frames.read(start, count, stride)
    return Given(x, None, frames.fps / stride)


class _Frames(NamedTuple):
    """Frames of a clip at the model's size: how many, how fast, (first, count, stride) -> (count, C, H, W), and a word."""

    total: int
    fps: float
    read: Callable[[int, int, int], Tensor]
    note: str = ""


def _digits(clip: str | Path, recipe: Recipe, number: int, shape: Sequence[int], count: int) -> _Frames:
    size = shape[1], shape[2]
    data = recipe.data
    digits = open_videos(
        clip, frames=count, size=size, channels=shape[0], split="test", digits=data.digits, walls=data.walls
    )
    if number >= len(digits):
        raise ConfigError(f"There are clips 0 to {len(digits) - 1} of moving digits for testing; number is {number}.")
    x = digits.batch([number])[0][0]
    return _Frames(count, FPS, lambda first, count, stride: x[first::stride][:count])


def _file(clip: str | Path, recipe: Recipe, shape: Sequence[int]) -> _Frames:
    opened = open_clip(clip)
    other = opened.size != tuple(shape[1:]) or opened.channels != shape[0]
    note = (
        f"The clip's frames, {opened.size[0]}x{opened.size[1]} pixels in {_colour(opened.channels)}, are brought to "
        f"{shape[1]}x{shape[2]} in {_colour(shape[0])}, as in training."
    )
    return _Frames(
        opened.count,
        opened.fps or FPS,
        lambda first, count, stride: _sized(take(opened, first, count, stride), recipe, shape),
        note if other else "",
    )


def _sized(frames: np.ndarray, recipe: Recipe, shape: Sequence[int]) -> Tensor:
    """Frames (T, H, W, C) in uint8, as the model has them: (T, C, H, W) in [-1, 1]."""
    frame = Frame((shape[1], shape[2]), "none" if recipe.data.crop == "none" else "center", True, True)
    resampled = frame.resampled(frames.shape[1], frames.shape[2], "the clip")
    pictures = [Image.fromarray(np.ascontiguousarray(x[..., 0] if x.shape[2] == 1 else x)) for x in frames]
    x = torch.from_numpy(np.stack([framed(picture, resampled, frame, shape[0]) for picture in pictures]))
    return (x.float() / 127.5 - 1).expand(-1, shape[0], -1, -1).contiguous()


def _colour(channels: int) -> str:
    return "grey" if channels == 1 else "colour"
