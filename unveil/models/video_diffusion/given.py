"""Frames that are given to a model of video, looked at before they are used."""

import math
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import DataError, ShapeError
from unveil.models.video_diffusion.layout import Layout

_SLACK = 1e-3  # how far rounding may carry frames beyond [-1, 1]


def checked_shape(frames: Tensor, name: str, shape: torch.Size) -> Tensor:
    """Frames as floating point numbers: uint8 becomes [-1, 1].

    Raises:
        ShapeError: they are not (B, T, *shape).
        DataError: they are whole numbers of another type.
    """
    if frames.ndim != 5 or frames.shape[2:] != shape:
        raise ShapeError(
            f"The frames of {name} are {tuple(frames.shape)}; this model takes (B, T, {', '.join(map(str, shape))})."
        )
    if frames.dtype == torch.uint8:
        return frames.float() / 127.5 - 1
    if not frames.is_floating_point():
        raise DataError(f"The frames of {name} are {frames.dtype}; give floating point numbers in [-1, 1], or uint8.")
    return frames


def checked_clips(clips: Tensor, layout: Layout, shape: torch.Size) -> Tensor:
    """Clips to learn from, or to be judged by: the frames of a block and all of those around it, as `checked_shape` has them.

    Raises:
        ShapeError: they have more frames, or fewer.
    """
    clips = checked_shape(clips, "a training clip", shape)
    if clips.shape[1] != layout.window:
        raise ShapeError(
            f"The clips have {clips.shape[1]} frames, and training takes {layout.window}: {layout.p} of the past, "
            f"{layout.k} of a block and {layout.f} of the future. Give clips of so many (open_videos(frames=...)), or train "
            "with others."
        )
    return clips


def check_pairs(past: Tensor, future: Tensor) -> None:
    """Refuse pasts of which some have no future.

    Raises:
        ShapeError: there are more of one than of the other.
    """
    if len(past) != len(future):
        raise ShapeError(f"{len(past)} pasts and {len(future)} futures were given; give one future for each past.")


def checked_range(frames: Tensor, name: str, *, bounded: bool = True) -> Tensor:
    """Refuse numbers that are not finite, or not in [-1, 1] where they must be.

    Raises:
        DataError: some are.
    """
    most = float(frames.detach().abs().max()) if frames.numel() else 0.0
    if math.isfinite(most) and (most <= 1 + _SLACK or not bounded):
        return frames
    raise DataError(
        f"The frames of {name} reach {most:.3g} in size; give finite numbers in [-1, 1]. Bring 0..1 there with 2 x - 1."
    )


def lengthened(frames: Tensor, name: Literal["past", "future"], needed: int, *, pad: bool | None) -> Tensor:
    """Frames of which there are enough; with `pad` the outermost one is repeated until there are, where it can be (not None).

    Raises:
        ShapeError: there are too few.
    """
    short = needed - frames.shape[1]
    if short <= 0:
        return frames
    if not pad or not frames.shape[1]:
        raise ShapeError(
            f"The {name} has {frames.shape[1]} frames, and this model is told {needed}; give {needed} or more"
            + ("." if pad is None else ", or repeat one with pad=True.")
        )
    if name == "past":
        return torch.cat([frames[:, :1].expand(-1, short, -1, -1, -1), frames], dim=1)
    return torch.cat([frames, frames[:, -1:].expand(-1, short, -1, -1, -1)], dim=1)
