"""A Markov step made of a diffusion: hide a part of what is there in noise, and take the noise away again."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Covariance, Denoiser, Schedule
from unveil.core.random import Randomness, randn_like
from unveil.covariance import Identity
from unveil.schedules.jump import jump


@dataclass(frozen=True)
class TruncatedKernel:
    """x -> D(alpha x + sigma R e, t) with e from N(0, 1), where D carries what is at time t to data.

    If D carries the distribution at time t to that of data exactly, the step leaves the data's distribution as it is, and
    from anywhere it leads there. Late times move far, early ones stay near. There is no density of a step, so none can be
    refused. A denoiser's own estimate is no such D: it is a mean, and steps made of it draw together; what is wanted is a
    student that was distilled to one step, or a walk of many (`steps`).

    It is differentiable in x and in the noise.

    Attributes:
        denoise: (x_t, t) -> estimate of the data.
        schedule: t -> (alpha, sigma).
        t: how much is hidden, a time in (0, 1].
        steps: of the way back, of equal length.
        cov: covariance of the noise, Sig = R R', which is that of the diffusion.

    Source: Tackling Unconditional Generation for Highly Multimodal Distributions with Hat Diffusion EBM, prop.
    3.2.1; as a way to edit: Meng et al. (2022), arXiv:2108.01073.
    """

    denoise: Denoiser
    schedule: Schedule
    t: float
    steps: int = 1
    cov: Covariance = Identity()

    def __post_init__(self) -> None:
        if not 0 < self.t <= 1:
            raise ConfigError(f"A kernel hides pictures up to a time in (0, 1]; it got t={self.t}.")
        check_whole("steps", self.steps)

    def hide(self, x: Tensor, noise: Tensor) -> Tensor:
        """The state at time t of data x and white noise, (B, ...) both."""
        if noise.shape != x.shape:
            raise ShapeError(
                f"The noise of a kernel has the shape {tuple(x.shape)} of its state, not {tuple(noise.shape)}."
            )
        alpha, sigma = (c.to(x) for c in self.schedule(torch.tensor(self.t, dtype=torch.float64)))
        return alpha * x + sigma * self.cov.sqrt(noise)

    def __call__(self, x: Tensor, generator: Randomness = None, *, noise: Tensor | None = None) -> Tensor:
        """Take one step from x, (B, ...).

        Args:
            x: where the chains are.
            generator: of the noise.
            noise: white noise like x, instead of drawn one.
        """
        return self.bring_back(self.hide(x, randn_like(x, generator) if noise is None else noise))

    def bring_back(self, x_t: Tensor) -> Tensor:
        """Walk from a state at time t, (B, ...), to data."""
        state = x_t
        times = torch.linspace(self.t, 0, self.steps + 1, dtype=torch.float64)
        for t, u in pairwise(times):
            x_hat = self.denoise(state, t)
            if x_hat.shape != x_t.shape:
                raise ShapeError(
                    f"A denoiser answers with the shape of its input, {tuple(x_t.shape)}; this one gave {tuple(x_hat.shape)}."
                )
            state = x_hat if u == 0 else jump(state, x_hat, self.schedule, t, u)
        return state
