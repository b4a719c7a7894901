"""Variance-preserving schedules given by a table of betas."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from unveil.core.errors import ConfigError


class Discrete:
    """A chain of L steps with variances b_1 .. b_L; step i is the time t = i / L, and t = 0 is data.

    alpha^2 at step i is the product of 1 - b_j for j <= i. Between steps log alpha is a monotone cubic with a
    continuous derivative, so that the same schedule serves the ODE and SDE samplers; on the steps it is the table.

    Args:
        betas: b_1 .. b_L, each in (0, 1), L >= 2.

    Source: Ho et al. (2020), arXiv:2006.11239, section 2.
    """

    t_eps: ClassVar[float] = 1e-3
    variance_preserving: ClassVar[bool] = True

    def __init__(self, betas: Sequence[float] | Tensor) -> None:
        self.betas = torch.as_tensor(betas, dtype=torch.float64).flatten().cpu()
        if len(self.betas) < 2:
            raise ConfigError(f"A discrete schedule needs at least 2 steps; it got {len(self.betas)}.")
        if not bool(((self.betas > 0) & (self.betas < 1)).all()):
            raise ConfigError(
                f"The betas of a discrete schedule lie in (0, 1); these reach from {float(self.betas.min()):.3g} "
                f"to {float(self.betas.max()):.3g}."
            )
        self.steps = len(self.betas)
        log_alpha = torch.cat([torch.zeros(1, dtype=torch.float64), (-self.betas).log1p().cumsum(0) / 2])
        cubics = PchipInterpolator(range(self.steps + 1), log_alpha.numpy()).c  # (4, L), highest power first
        self._cubics = torch.from_numpy(cubics)

    @classmethod
    def linear(cls, steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> "Discrete":
        """Betas evenly spaced from `first` to `last`, both given for 1000 steps and scaled by 1000 / steps.

        Source: Ho et al. (2020), arXiv:2006.11239, section 4.
        """
        if steps < 2:
            raise ConfigError(f"A discrete schedule needs at least 2 steps; it got {steps}.")
        scale = 1000 / steps
        if not 0 < first * scale <= last * scale < 1:
            raise ConfigError(
                f"{steps} linear steps from {first} to {last} (at 1000 steps) would reach beta = {last * scale:.3g}; "
                f"beta must stay below 1. Take more than {math.floor(1000 * last)} steps, or Discrete.cosine."
            )
        return cls(torch.linspace(first * scale, last * scale, steps, dtype=torch.float64))

    @classmethod
    def cosine(cls, steps: int = 1000) -> "Discrete":
        """alpha^2 follows a squared cosine; a beta above 0.999 is clipped to it.

        Source: Nichol and Dhariwal (2021), arXiv:2102.09672, eq. 17.
        """
        if steps < 2:
            raise ConfigError(f"A discrete schedule needs at least 2 steps; it got {steps}.")
        u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        curve = ((u + 0.008) / 1.008 * math.pi / 2).cos() ** 2
        return cls((1 - curve[1:] / curve[:-1]).clamp(max=0.999))

    def __repr__(self) -> str:
        return f"Discrete({self.steps} steps, beta {float(self.betas[0]):.3g} .. {float(self.betas[-1]):.3g})"

    def _cell(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The cubics at times t, (4, *t.shape), and the place within their steps, in [0, 1]."""
        place = t.double() * self.steps
        # On a step, i / L * L must give i back: rounding errors of the product are taken for the step itself.
        nearest = place.round()
        place = torch.where((place - nearest).abs() < 1e-4, nearest, place)
        below = place.floor().clamp(0, self.steps - 1)
        return self._cubics.to(t.device)[:, below.long()], place - below

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha and sigma at times t."""
        (c3, c2, c1, c0), u = self._cell(t)
        log_alpha = ((c3 * u + c2) * u + c1) * u + c0
        return log_alpha.exp().to(t.dtype), (-(2 * log_alpha).expm1()).sqrt().to(t.dtype)

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Drift and squared diffusion of the SDE that passes through the table."""
        (c3, c2, c1, _), u = self._cell(t)
        drift = (((3 * c3 * u + 2 * c2) * u + c1) * self.steps).to(t.dtype)
        return drift, -2 * drift
