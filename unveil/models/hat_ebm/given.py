"""Images that a model is given to move, and masks of them."""

import torch
from torch import Tensor

from unveil.core.errors import DataError, ShapeError


def spread(mask: Tensor, x: Tensor) -> Tensor:
    """A mask for each number of images x.

    Raises:
        ShapeError: it does not fit them.
    """
    try:
        return mask.expand_as(x)
    except RuntimeError:
        raise ShapeError(
            f"A mask has the images' shape {tuple(x.shape)}, or one that spreads to it, such as {(1, *x.shape[1:])}; it has "
            f"{tuple(mask.shape)}."
        ) from None


def check_images(x: Tensor, shape: torch.Size) -> None:
    """Refuse images that a model of some shape cannot have been trained on.

    Raises:
        ShapeError: another shape.
        DataError: no floating point numbers, or pixels beyond [-1, 1].
    """
    if x.shape[1:] != shape:
        raise ShapeError(f"This model was made for samples of shape {tuple(shape)}; it got {tuple(x.shape[1:])}.")
    if not x.is_floating_point():
        raise DataError(f"Images are floating point numbers in [-1, 1]; these are {x.dtype}.")
    most = float(x.abs().max()) if x.numel() and len(shape) == 3 else 0.0
    if not most <= 1.001:
        raise DataError(
            f"Images lie in [-1, 1], and these reach {most:.4g}" + ("; they look like [0, 255]." if most > 2 else ".")
        )
