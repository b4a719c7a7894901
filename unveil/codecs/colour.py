"""RGB and the YCbCr of JPEG files, as floating point numbers without any rounding.

Pictures in [-1, 1] make this a linear map without offsets: level 0 is -1 and level 255 is 1 for Y, and a colourless pixel has
Cb = Cr = 0 (in levels: 128 + 127.5 Cb).

Source: Hamilton (1992), JPEG File Interchange Format, version 1.02 (the full range, 0 to 255).
"""

import torch
from torch import Tensor

from unveil.operators import LUMA

RED, GREEN, BLUE = LUMA
_RED_RANGE, _BLUE_RANGE = 2 - 2 * RED, 2 - 2 * BLUE  # of red - Y and blue - Y, over that of Y


def to_ycbcr(x: Tensor) -> Tensor:
    """Bring RGB, (B, 3, H, W) in [-1, 1], to Y, Cb, Cr of the same shape and range."""
    red, green, blue = x.unbind(1)
    luma = RED * red + GREEN * green + BLUE * blue
    return torch.stack([luma, (blue - luma) / _BLUE_RANGE, (red - luma) / _RED_RANGE], 1)


def to_rgb(x: Tensor) -> Tensor:
    """Bring Y, Cb, Cr, (B, 3, H, W), back to RGB; nothing is clipped."""
    luma, cb, cr = x.unbind(1)
    green = luma - (RED * _RED_RANGE / GREEN) * cr - (BLUE * _BLUE_RANGE / GREEN) * cb  # so that Y = 0.299 R + ...
    return torch.stack([luma + _RED_RANGE * cr, green, luma + _BLUE_RANGE * cb], 1)
