"""Videos as pictures, and what a model makes of clips: a row for each of its tasks, the known frames with a border."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

CLIPS = 3
"""Clips that are shown."""


def sheet(videos: "Tensor", *, apart: bool = False) -> "Tensor":
    """Videos (B, T, C, H, W) as rows of their frames: one picture (3, H', W') of all in uint8, or one of each where apart."""
    import torch

    from unveil.data import strip

    return torch.stack([strip(video) for video in videos]) if apart else strip(videos)


def film(model: Any, clips: "Tensor", walk: Mapping[str, Any]) -> "Tensor":
    """Show clips, and what a model makes of each of them when it is told some of their frames.

    Args:
        model: a `VideoDiffusion`.
        clips: (B, p + k + f, C, H, W) in [-1, 1].
        walk: how to sample.

    Returns:
        One picture (3, H', W') in uint8. Of each clip there is a row as it is, and one for each task, in which frames that
        the model is not told and does not make are grey.
    """
    import torch

    from unveil.core.random import Streams
    from unveil.data import strip

    p, k = model.p, model.k
    clips = clips.to(model.device)
    past, future = clips[:, :p], clips[:, p + k :]
    known = {"predict": (past, None), "past": (None, future), "interpolate": (past, future), "generate": (None, None)}
    whole = range(clips.shape[1])
    drawn, told = [clips], [tuple(whole)]
    for task in model.tasks:
        before, after = known[task]
        block = model.sample_block(before, after, batch=len(clips), generator=Streams(0, len(clips)), **walk)
        row = torch.zeros_like(clips)
        row[:, p : p + k] = block
        if before is not None:
            row[:, :p] = before
        if after is not None:
            row[:, p + k :] = after
        drawn.append(row)
        shown = (before is not None) * [*whole[:p]] + (after is not None) * [*whole[p + k :]]
        told.append(tuple(shown))
    rows = [strip(row[i], known=frames) for i in range(len(clips)) for row, frames in zip(drawn, told, strict=True)]
    return torch.cat(rows, dim=1)


def course(model: Any, clips: "Tensor") -> "Tensor":
    """Show clips, and the path that an `ODEVideo` makes of the frames it reads: a row for each, one above the other.

    Args:
        model: the model.
        clips: (B, window, C, H, W) in [-1, 1].

    Returns:
        One picture (3, H', W') in uint8, in which the frames that are read have a border.
    """
    import torch

    from unveil.data import strip

    clips = clips.to(model.device)
    at = torch.arange(clips.shape[1], dtype=torch.float64)
    made = model.frames_at(clips[:, : model.p], at, mean=True)
    read = range(model.p)
    return torch.cat([strip(torch.stack(rows), known=read) for rows in zip(clips, made, strict=True)], dim=1)
