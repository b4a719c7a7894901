"""The variance-exploding schedule."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from unveil.core.errors import ConfigError


@dataclass(frozen=True)
class GeometricVE:
    """Variance-exploding schedule: alpha = 1 and sigma grows geometrically from sigma_min to sigma_max.

    With `steps` = L the levels are sigma_1 .. sigma_L at t = 1/L .. 1; without, sigma(t) is continuous and starts at
    sigma_min. At t = 0 there is no noise: sigma(0) = 0 in both. The published sigma_max of 50 (CIFAR-10) is for data in
    [0, 1]; data in [-1, 1] has twice the range and needs twice the sigmas.

    Source: Song and Ermon (2020), arXiv:2006.09011; Song et al. (2021), arXiv:2011.13456, eq. 9.
    """

    sigma_min: float = 0.01
    sigma_max: float = 50.0
    steps: int | None = None

    t_eps: ClassVar[float] = 1e-5
    variance_preserving: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max < math.inf:
            raise ConfigError(
                f"GeometricVE got sigma_min={self.sigma_min}, sigma_max={self.sigma_max}; it needs 0 < sigma_min < sigma_max."
            )
        if self.steps is not None and self.steps < 2:
            raise ConfigError(f"GeometricVE needs at least 2 levels; it got steps={self.steps}.")

    @property
    def ratio(self) -> float:
        """sigma of one level over that of the level below; of a unit of time where there are no levels."""
        return (self.sigma_max / self.sigma_min) ** (1 / ((self.steps or 2) - 1))

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha and sigma at times t."""
        span = math.log(self.sigma_max / self.sigma_min)
        if self.steps is None:
            return torch.ones_like(t), torch.where(t > 0, self.sigma_min * (span * t).exp(), 0.0)
        place = (t * self.steps - 1) / (self.steps - 1)  # 0 at the first level, 1 at the last
        first = (t * self.steps).clamp(0, 1)  # below the first level sigma is linear
        return torch.ones_like(t), self.sigma_min * first * (span * place.clamp(min=0)).exp()

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """No drift; the squared diffusion is d sigma^2 / dt."""
        _, sigma = self(t)
        span = math.log(self.sigma_max / self.sigma_min)
        if self.steps is None:
            return torch.zeros_like(t), 2 * span * sigma**2
        rate = torch.where(
            t * self.steps > 1, self.steps / (self.steps - 1) * span * sigma, self.steps * self.sigma_min
        )
        return torch.zeros_like(t), 2 * sigma * rate
