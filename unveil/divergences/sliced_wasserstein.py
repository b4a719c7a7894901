"""Sliced Wasserstein distance: two sets seen along many lines, where the best match is found by sorting."""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.random import Randomness, randn
from unveil.divergences.distances import check_same_space


def unit_directions(count: int, dimension: int, generator: Randomness = None, *, like: Tensor | None = None) -> Tensor:
    """Draw directions evenly from the unit sphere, (count, dimension), of the type and on the device of `like`."""
    dtype, device = (like.dtype, like.device) if like is not None else (torch.float32, None)
    drawn = randn((count, dimension), generator, dtype=dtype, device=device)
    return drawn / drawn.norm(dim=1, keepdim=True).clamp(min=torch.finfo(dtype).tiny)


def sliced_wasserstein(x: Tensor, y: Tensor, directions: Tensor, *, p: float = 2.0, summed: bool = False) -> Tensor:
    """The sliced p-Wasserstein distance, a distance and not its p-th power.

    Along each direction the exact distance of the projected points is that of their quantile functions; its p-th power is
    averaged over the directions, and the p-th root taken of the whole.

    Args:
        x: points, (n, d).
        y: points, (m, d); m may differ from n.
        directions: unit vectors, (P, d); see `unit_directions`.
        p: 1 or more.
        summed: add the matched pairs up instead of averaging them, so that the distance grows like the p-th root of the
            number of points, as published code has it; it needs n = m.

    Returns:
        A scalar; gradients flow to the points and to the directions, and are zero where the sets coincide.

    Raises:
        ShapeError: points and directions do not live in one space, or there are none.
        ConfigError: p is below 1, or `summed` is asked of sets that differ in size.

    Source: Bonneel et al. (2015), Sliced and Radon Wasserstein barycenters of measures, section 3.
    """
    check_same_space(x, y)
    check_same_space(x, directions)
    if not len(x) or not len(y) or not len(directions):
        raise ShapeError(
            f"The sliced distance got {len(x)} and {len(y)} points along {len(directions)} directions; each needs one or more."
        )
    if p < 1:
        raise ConfigError(f"The sliced distance got p={p}; a Wasserstein distance needs p >= 1, and 2 is usual.")
    if summed and len(x) != len(y):
        raise ConfigError(f"Sums over matched pairs need sets of one size; these have {len(x)} and {len(y)} points.")
    a, b = (x @ directions.T).sort(dim=0).values, (y @ directions.T).sort(dim=0).values
    if len(x) == len(y):
        power = (a - b).abs().pow(p).sum(0)
        power = power if summed else power / len(x)
    else:
        i, j, weight = _matched(len(x), len(y), x)
        power = weight @ (a[i] - b[j]).abs().pow(p)
    # A root has no finite slope at zero: sets that coincide get a slope of zero instead.
    return power.mean().clamp(min=torch.finfo(x.dtype).tiny).pow(1 / p)


def _matched(n: int, m: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Between which sorted points mass moves, and how much: both quantile functions are constant between their jumps."""
    jumps = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()  # in units of 1 / (n m)
    weight = torch.diff(jumps, prepend=jumps.new_zeros(1)).to(like) / (n * m)
    i, j = (jumps - 1) // m, (jumps - 1) // n
    return i.to(like.device), j.to(like.device), weight
