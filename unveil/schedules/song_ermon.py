"""How to choose sigmas and Langevin steps for data of one's own.

Source: Song and Ermon (2020), arXiv:2006.09011, techniques 1, 2 and 4; with coloured noise the same holds of whitened
data R^-1 x.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Covariance
from unveil.core.random import Randomness


def _normal_cdf(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def _bisect(f: Callable[[float], float], low: float, high: float) -> float:
    """The root of an increasing function."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if f(middle) > 0 else (middle, high)
    return (low + high) / 2


def level_ratio(dim: int, overlap: float = 0.5) -> float:
    """The ratio g of neighbouring sigmas at which two levels overlap by `overlap` in `dim` dimensions.

    g solves Phi(sqrt(2 D) (g - 1) + 3 g) - Phi(sqrt(2 D) (g - 1) - 3 g) = overlap. CIFAR-10's published 1.0376 belongs
    to an overlap of 0.566.
    """
    if dim < 1 or not 0 < overlap < 1:
        raise ConfigError(f"A level ratio needs dim >= 1 and an overlap in (0, 1); it got {dim} and {overlap}.")

    def shortfall(g: float) -> float:
        centre = math.sqrt(2 * dim) * (g - 1)
        return overlap - (_normal_cdf(centre + 3 * g) - _normal_cdf(centre - 3 * g))

    if shortfall(1.0) >= 0:
        raise ConfigError(f"No ratio of sigmas gives an overlap of {overlap}; take one below 0.997.")
    high = 2.0
    while shortfall(high) < 0 and high < 1e6:
        high *= 2
    if high >= 1e6:
        raise ConfigError(f"In {dim} dimensions levels overlap by more than {overlap} whatever their ratio is.")
    return _bisect(shortfall, 1.0, high)


def langevin_step(ratio: float, inner: int) -> float:
    """The relative Langevin step h = step / sigma^2 that carries one noise level's variance to the next one's best.

    Args:
        ratio: g > 1, a level's sigma over the next lower one's.
        inner: T, Langevin steps per level.

    Returns:
        h in (0, 1), minimising |F - 1| where F = q^2T g^2 + 2 h (1 - q^2T) / (1 - q^2) and q = 1 - h is the variance
        after T steps over the level's own.
    """
    if ratio <= 1 or inner < 1:
        raise ConfigError(
            f"A Langevin step needs a ratio above 1 and at least 1 inner step; it got {ratio} and {inner}."
        )
    h = torch.linspace(1e-6, 1 - 1e-6, 2_000_001, dtype=torch.float64)
    q2t = (1 - h) ** (2 * inner)
    excess = (q2t * ratio**2 + 2 * h * (1 - q2t) / (1 - (1 - h) ** 2) - 1).abs()
    return float(h[excess.argmin()])


@dataclass(frozen=True)
class SuggestedVE:
    """What the data ask for: the range of sigmas, the number of levels and the Langevin step.

    Attributes:
        sigma_min: smallest sigma.
        sigma_max: largest whitened distance of two data points.
        sigma_max_999: 99.9th percentile of those distances, for data with outliers.
        ratio: of neighbouring sigmas.
        steps: number of levels L.
        langevin_step: h = step / sigma^2 for 5 inner steps.
    """

    sigma_min: float
    sigma_max: float
    sigma_max_999: float
    ratio: float
    steps: int
    langevin_step: float


def suggest_ve(
    data: Tensor,
    cov: Covariance | None = None,
    *,
    overlap: float = 0.5,
    sigma_min: float = 0.01,
    limit: int = 10_000,
    generator: Randomness = None,
) -> SuggestedVE:
    """Measure data and suggest a variance-exploding schedule for them.

    Args:
        data: (N, C, H, W), in the range the model will see.
        cov: the noise's covariance; without one it is white.
        overlap: of neighbouring levels, see `level_ratio`.
        limit: how many data points to compare; more are thinned out at random.
    """
    if len(data) < 2:
        raise ConfigError(f"Distances need at least two data points; there are {len(data)}.")
    if len(data) > limit:
        device = generator.device if isinstance(generator, torch.Generator) else "cpu"
        chosen = torch.randperm(
            len(data), generator=generator if isinstance(generator, torch.Generator) else None, device=device
        )
        data = data[chosen[:limit].to(data.device)]
    if not data.is_floating_point() or not bool(data.isfinite().all()):
        raise ConfigError("Distances are measured between finite floating point data; scale integers to [-1, 1] first.")
    y = data if cov is None else cov.inv_sqrt(data)
    y = y.flatten(1)
    largest, bulk = 0.0, []
    stride = max(1, len(y) * len(y) // 2_000_000)
    for start in range(0, len(y), 500):
        block = torch.cdist(y[start : start + 500], y[start:])
        pairs = block[torch.ones_like(block, dtype=torch.bool).triu(1)]  # each pair once, nobody with themselves
        if len(pairs):
            largest = max(largest, float(pairs.max()))
            bulk.append(pairs[::stride])
    if largest == 0:
        raise ConfigError("All the data are equal, so there is no distance that noise would have to bridge.")
    common = float(torch.cat(bulk).quantile(0.999))
    ratio = level_ratio(y.shape[1], overlap)
    steps = 1 + math.ceil(math.log(max(largest / sigma_min, ratio)) / math.log(ratio))
    return SuggestedVE(sigma_min, largest, common, ratio, steps, langevin_step(ratio, 5))
