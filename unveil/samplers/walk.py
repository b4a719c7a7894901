"""What all samplers share: the grid they walk, the estimate they make at each time, and the eyes that watch.

A grid of times descends. One that ends at 0 ends with the expected denoised sample, which holds no noise; one that ends
above 0 leaves the state as noisy as its last time. Times and coefficients stay on the CPU in float64, so that no step
waits for a device.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DivergenceError
from unveil.core.protocols import Denoiser, Schedule

Watch = Callable[[int, int, Tensor], None]
"""Told (steps done, steps in all, the state) after each step."""


@dataclass(frozen=True)
class Clip:
    """Keep every estimate of the data within its range.

    Attributes:
        low: smallest value of data.
        high: largest value of data.
        rederive: find the noise again from the clipped estimate, so that both still add up to the state.
    """

    low: float = -1.0
    high: float = 1.0
    rederive: bool = True


def grid(times: Tensor) -> Tensor:
    """Times as float64 on the CPU, after a check that they descend within [0, 1]."""
    times = times.detach().double().cpu()
    if times.ndim != 1 or len(times) < 2 or not bool((times.diff() < 0).all()) or times[-1] < 0 or times[0] > 1:
        raise ConfigError(
            f"A sampler walks two or more descending times within [0, 1], none twice; it got {times.tolist()}."
        )
    return times


def estimate(
    denoise: Denoiser, x: Tensor, t: Tensor, coefficients: tuple[Tensor, Tensor], clip: Clip | None
) -> tuple[Tensor, Tensor]:
    """Split a state into its estimated data and its estimated (coloured) noise: x = alpha x_hat + sigma n_hat."""
    alpha, sigma = coefficients
    x_hat = denoise(x, t)
    if clip is None:
        return x_hat, (x - alpha * x_hat) / sigma
    clipped = x_hat.clamp(clip.low, clip.high)
    return clipped, (x - alpha * (clipped if clip.rederive else x_hat)) / sigma


@dataclass
class Walk:
    """The places of a walk, with the coefficients of the schedule there, and a record of whether it stayed finite."""

    schedule: Schedule
    times: Tensor
    watch: Watch | None = None
    _sums: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.times = grid(self.times)
        self.alphas, self.sigmas = self.schedule(self.times)

    def __len__(self) -> int:
        return len(self.times) - 1

    def at(self, k: int) -> tuple[Tensor, Tensor]:
        """Alpha and sigma at the k-th time, float64 scalars."""
        return self.alphas[k], self.sigmas[k]

    def clean(self, k: int) -> bool:
        """Whether the k-th time is the end of all noise."""
        return float(self.times[k]) == 0.0

    def told(self, k: int, x: Tensor) -> Tensor:
        """Note that step k arrived at x, and hand x on."""
        self._sums.append(x.sum())  # read at the end, once: reading now would wait for the device
        if self.watch is not None:
            self.watch(k + 1, len(self), x)
        return x

    def arrived(self, x: Tensor) -> Tensor:
        """Hand on the last state.

        Raises:
            DivergenceError: some step's state was not finite.
        """
        if self._sums and len(x):
            bad = (~torch.stack(self._sums).isfinite()).nonzero()
            if len(bad):
                k = int(bad[0])
                raise DivergenceError(
                    f"Sampling stopped being finite in step {k + 1} of {len(self)}, at t = {float(self.times[k]):.4g}. "
                    "Is the network trained for this schedule and covariance? Clipping or more steps may help."
                )
        return x
