"""Kernels for blurs: each sums to 1, float64, its centre in the middle."""

import math

import torch
from torch import Tensor

from unveil.core.errors import ConfigError


def _positive(name: str, argument: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} got {argument}={value}; it needs a finite number of pixels above zero.")
    return float(value)


def gaussian_profile(sigma: float) -> Tensor:
    """The Gaussian of standard deviation sigma pixels on a line, cut at 4 sigma, (2 ceil(4 sigma) + 1,)."""
    radius = math.ceil(4 * _positive("A Gaussian kernel", "sigma", sigma))
    places = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-((places / sigma) ** 2) / 2)
    return weights / weights.sum()


def gaussian_kernel(sigma: float) -> Tensor:
    """A round Gaussian of standard deviation sigma pixels, cut at 4 sigma; (side, side), its side odd."""
    profile = gaussian_profile(sigma)
    return torch.outer(profile, profile)


def box_kernel(size: int | tuple[int, int]) -> Tensor:
    """The plain mean over size x size pixels, or over (height, width)."""
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ConfigError(f"A box kernel got size={size}; its sides are whole numbers above zero.")
    return torch.full((height, width), 1 / (height * width), dtype=torch.float64)


def disk_kernel(radius: float) -> Tensor:
    """A lens out of focus: an even disk of a radius in pixels, each pixel weighing what of it is covered; (side, side), odd."""
    reach = math.ceil(_positive("A disk kernel", "radius", radius) - 0.5)
    parts = 32  # of a pixel's side
    places = (torch.arange((2 * reach + 1) * parts, dtype=torch.float64) + 0.5) / parts - reach - 0.5
    inside = (places[:, None] ** 2 + places**2 <= radius**2).double()
    covered = inside.unflatten(0, (-1, parts)).unflatten(-1, (-1, parts)).sum((1, 3))
    return covered / covered.sum()


def motion_kernel(length: float, angle: float = 0.0) -> Tensor:
    """A camera that moved straight: a line through the centre, each pixel weighing the length of line inside it;
    (height, width), both odd.

    Args:
        length: of the line, pixels.
        angle: degrees, counter-clockwise from the horizontal as seen on a screen.
    """
    _positive("A motion kernel", "length", length)
    if not math.isfinite(angle):
        raise ConfigError(f"A motion kernel got angle={angle}; it needs a finite number of degrees.")
    count = 256 * math.ceil(length)
    along = ((torch.arange(count, dtype=torch.float64) + 0.5) / count - 0.5) * length
    # Rounding keeps a level line level: the cosine of 90 degrees is not quite 0 in floating point.
    rows = (-along * round(math.sin(math.radians(angle)), 12)).round().long()
    columns = (along * round(math.cos(math.radians(angle)), 12)).round().long()
    height, width = 2 * int(rows.abs().max()) + 1, 2 * int(columns.abs().max()) + 1
    counts = torch.bincount((rows + height // 2) * width + columns + width // 2, minlength=height * width)
    return (counts.double() / count).reshape(height, width)
