"""An image at another size, in floating point from beginning to end."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from unveil.core.errors import ShapeError


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bring images to another size with a bicubic kernel, which is widened where they shrink, so that nothing aliases.

    The map is linear, and leaves constants as they are; beside sharp edges it may overshoot the range of x a little.

    Args:
        x: (B, C, H, W).
        size: (height, width).

    Returns:
        (B, C, *size); x itself where it has that size.

    Raises:
        ShapeError: x is no batch of images, or the size is no height and width.

    Source: Keys (1981), cubic convolution interpolation for digital image processing, with a = -1/2.
    """
    if x.ndim != 4:
        raise ShapeError(f"Images to resize are (B, C, H, W); these have shape {tuple(x.shape)}.")
    height, width = (int(side) for side in size)
    if min(height, width) < 1:
        raise ShapeError(f"Images cannot be resized to {height} x {width}; give a height and a width of 1 or more.")
    if x.shape[-2:] == (height, width):
        return x
    return functional.interpolate(x, size=(height, width), mode="bicubic", align_corners=False, antialias=True)
