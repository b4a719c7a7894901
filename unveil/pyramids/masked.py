"""Pyramids of an image with a hole, in which nothing of what is in the hole is left."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unveil.core.errors import ShapeError
from unveil.pyramids.resize import resize
from unveil.pyramids.scales import Size

_ENOUGH = (
    0.05  # below this share of known pixels their weighted mean means nothing: a bicubic kernel has negative lobes
)
_ALL = 1e-3  # a resized pixel is known if the weights of what it is made of add up to 1, so nearly


def masked_resize(x: Tensor, known: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Resize what is known of images: both are resized, image times mask and mask, and divided.

    Args:
        x: (B, C, H, W) in [-1, 1]; what it holds where nothing is known has no influence, not even when it is NaN.
        known: (B, 1, H, W), 1 where x is known and 0 elsewhere.
        size: (height, width).

    Returns:
        The images at the size, in [-1, 1], and (B, 1, *size), 1 where they are made of known pixels alone. Where hardly
        anything is known stands the mean of all known pixels.

    Raises:
        ShapeError: the mask does not fit the images, or is not 0 or 1, or nothing is known.
    """
    if known.shape != (len(x), 1, *x.shape[-2:]):
        raise ShapeError(
            f"The mask of known pixels has shape {tuple(known.shape)}; images of shape {tuple(x.shape)} need "
            f"{(len(x), 1, *x.shape[-2:])}."
        )
    known = known.to(x.dtype)
    if not bool(((known == 0) | (known == 1)).all()):
        raise ShapeError("A mask of known pixels holds 0 and 1 alone.")
    if not bool(known.flatten(1).any(1).all()):
        raise ShapeError("The mask covers the whole image, so nothing of it is known; leave some of it open.")
    seen = torch.where(known.bool(), x, torch.zeros_like(x))
    mean = seen.sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True)
    weight = resize(known, size)
    value = resize(seen, size) / weight.clamp(min=_ENOUGH)
    value = torch.where(weight > _ENOUGH, value, mean.expand_as(value)).clamp(-1, 1)
    return value, ((weight - 1).abs() < _ALL).to(x.dtype)


def masked_pyramid(x: Tensor, known: Tensor, sizes: Sequence[Size]) -> list[tuple[Tensor, Tensor]]:
    """Images with holes at every size, each made from the full one, with the mask of what is known there.

    Arguments and errors are those of `masked_resize`.
    """
    return [masked_resize(x, known, size) for size in sizes]
