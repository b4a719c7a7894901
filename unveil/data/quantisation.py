"""From pixels that take a few values to real numbers that have a density."""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.random import Randomness, rand


def dequantise(x: Tensor, generator: Randomness = None, *, levels: int = 256) -> Tensor:
    """Spread each pixel evenly over its bin: value v of `levels` values becomes (v + u) / levels, mapped to [-1, 1].

    A density of the result bounds the probability of the pixels: bits per pixel = -log2 p + log2(levels / 2).

    Args:
        x: pictures (B, ...), uint8 in 0 .. levels - 1, or floats in [-1, 1], brought to the nearest value.
        generator: where u comes from, uniform on [0, 1).
        levels: how many values a pixel has, as `Images.levels` tells.

    Raises:
        DataError: numbers beyond those.

    Source: Theis, van den Oord and Bethge (2016), arXiv:1511.01844, section 3.1.
    """
    if levels < 2:
        raise ConfigError(f"levels={levels} cannot be; 8-bit pictures have 256.")
    value = x.float() if x.dtype == torch.uint8 else ((x + 1) * ((levels - 1) / 2)).round()
    if not ((value >= 0) & (value < levels)).all():  # nan is beyond too
        raise DataError(
            f"Pictures with {levels} levels are uint8 in 0..{levels - 1} or floats in [-1, 1]; "
            f"these run from {x.min().item():.4g} to {x.max().item():.4g}."
        )
    u = rand(x.shape, generator, dtype=value.dtype, device=x.device)
    return (value + u) * (2 / levels) - 1
