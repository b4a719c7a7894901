"""Any denoiser as a prior for inverse problems."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Covariance, Denoiser, Randomness, Schedule
from unveil.core.random import randn_like
from unveil.covariance import Identity, on_plane

_HALVINGS = 60
"""They leave nothing of [0, 1] that float64 could tell apart."""


class DenoiserPrior:
    """The prior of a denoiser: level j adds noise of standard deviation sigma_j, whose estimate takes it away again.

    A state x_t = alpha x + sigma R e of a schedule is alpha (x + sigma / alpha R e), so every schedule has levels
    sigma / alpha beside images that are not scaled. They are spread evenly on a logarithmic scale. A schedule of
    discrete steps gives only levels it has, at most one for each step, so that a network sees the times it was trained
    at.

    Args:
        denoise: (x_t, t) -> E[x | x_t].
        schedule: t -> (alpha, sigma), with sigma / alpha rising.
        levels: how many to choose, at least 2.
        largest: no level above this; a variance-preserving schedule ends at hundreds, where nothing is left to see.
        cov: covariance of the noise; larger images get the same noise, see `on_plane`.

    Attributes:
        sigmas: standard deviations of the levels, rising.
        times: where the schedule has them, float64.
    """

    def __init__(
        self,
        denoise: Denoiser,
        schedule: Schedule,
        *,
        levels: int = 100,
        largest: float = 80.0,
        cov: Covariance = Identity(),
    ) -> None:
        if levels < 2:
            raise ConfigError(f"A prior has 2 or more noise levels; it got levels={levels}.")
        self.denoise, self.schedule, self.cov = denoise, schedule, cov
        self.times = _times(schedule, levels, largest)
        alphas, sigmas = schedule(self.times)
        self._alphas: list[float] = alphas.tolist()
        self.sigmas: Sequence[float] = tuple((sigmas / alphas).tolist())

    def __len__(self) -> int:
        return len(self.sigmas)

    def _index(self, level: int) -> int:
        if not 1 <= level <= len(self):
            raise ConfigError(f"This prior has the noise levels 1 to {len(self)}; it was asked for level {level}.")
        return level - 1

    def degrade(self, x: Tensor, level: int, generator: Randomness = None, *, scale: float = 1.0) -> Tensor:
        """x + scale sigma_j R e, (B, C, H, W)."""
        sigma = self.sigmas[self._index(level)]
        if scale == 0:
            return x
        return x + (scale * sigma) * on_plane(self.cov, *x.shape[-2:]).sqrt(randn_like(x, generator))

    def restore(self, y: Tensor, level: int, generator: Randomness = None) -> Tensor:
        """The estimate of the clean image of y, (B, C, H, W), as if y held noise of sigma_j; nothing is drawn."""
        k = self._index(level)
        return self.denoise(self._alphas[k] * y, self.times[k])


def _times(schedule: Schedule, levels: int, largest: float) -> Tensor:
    """Rising times whose levels sigma / alpha are spread evenly in logarithm."""

    def level(t: Tensor) -> Tensor:
        alpha, sigma = schedule(t)
        return sigma / alpha

    steps: int | None = getattr(schedule, "steps", None)
    earliest = 1 / steps if steps is not None else getattr(schedule, "t_eps", 1e-3)
    lowest, highest = level(torch.tensor([earliest, 1.0], dtype=torch.float64)).tolist()
    if not lowest < largest:
        raise ConfigError(
            f"The largest noise level of a prior must lie above the schedule's smallest, {lowest:.3g}; "
            f"it got largest={largest}."
        )
    highest = min(highest, largest)
    wanted = torch.logspace(0, 1, levels, base=highest / lowest, dtype=torch.float64) * lowest
    low, high = torch.full_like(wanted, earliest), torch.ones_like(wanted)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = level(middle) < wanted
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    if steps is None:
        return high
    own = (high * steps - 1e-6).round().clamp(1, steps)
    own = own[level(own / steps) <= largest * (1 + 1e-9)]
    return own.unique() / steps
