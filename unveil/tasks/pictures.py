"""Single pictures that a user gives to be worked on, and what should be said of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unveil.core.errors import DataError, ShapeError

if TYPE_CHECKING:
    from torch import Tensor

SLACK = 1e-3
"""How far beyond [-1, 1] numbers may lie by rounding."""


def read_picture(picture: "str | Path | Tensor") -> tuple["Tensor", list[str]]:
    """Read one picture, (C, H, W) in [-1, 1], and what of its file is not kept.

    Raises:
        DataError: it is missing, damaged, animated, or its numbers leave [-1, 1].
        ShapeError: a tensor that is no grey or RGB picture.
    """
    from torch import Tensor

    from unveil.data.decoding import inspect_image, load_image

    if isinstance(picture, Tensor):
        if picture.ndim != 3 or picture.shape[0] not in (1, 3):
            raise ShapeError(f"A picture is (1, H, W) or (3, H, W); this one has shape {tuple(picture.shape)}.")
        if not picture.is_floating_point() or not bool((picture.abs() <= 1 + SLACK).all()):
            raise DataError(
                "A picture holds numbers in [-1, 1]; this one leaves them. Bring 0..255 there with x / 127.5 - 1."
            )
        return picture.detach().float().cpu(), []
    contents, notes = inspect_image(picture), []
    if contents.frames > 1:
        raise DataError(
            f"{picture} holds {contents.frames} pictures, an animation or pages; give one picture, such as one frame of it."
        )
    if contents.transparent:
        notes.append(f"{picture} is transparent in places; it was laid over white, and the result has no transparency.")
    if contents.deep:
        notes.append(f"{picture} has more than 8 bits a channel; it was rounded to 8, as the result is.")
    return load_image(picture), notes


def side_by_side(pictures: "Sequence[Tensor]", gap: int = 4) -> "Tensor":
    """Lay pictures (C, H, W) beside each other on white, the smaller ones enlarged to the largest's size, pixel by pixel."""
    import torch
    import torch.nn.functional as F

    tall, wide = (max(x.shape[axis] for x in pictures) for axis in (1, 2))
    channels = max(x.shape[0] for x in pictures)
    columns = []
    for x in pictures:
        fitted = F.interpolate(x[None], size=(tall, wide), mode="nearest")[0] if x.shape[1:] != (tall, wide) else x
        columns += [fitted.expand(channels, -1, -1), torch.ones(channels, tall, gap)]
    return torch.cat(columns[:-1], 2)
