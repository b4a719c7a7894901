"""What all samplers share: the grid they walk, the estimate they make at each time, and the eyes that watch.

A grid of times descends. One that ends at 0 ends with the expected denoised sample, which holds no noise; one that ends
above 0 leaves the state as noisy as its last time. Times and coefficients stay on the CPU in float64, so that no step
waits for a device.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from torch import Tensor

from unveil.core.errors import ConfigError, DivergenceError
from unveil.core.protocols import Denoiser, Progress, Schedule

_FEW = 2**20
"""So many numbers, over all steps, are kept until the end of a walk."""

Watch = Callable[[int, int, Tensor], None]
"""Told (steps done, steps in all, the state) after each step."""


def telling(progress: Progress | None, watch: Watch | None = None) -> Watch | None:
    """Both of them as one that watches; None where there is neither."""
    if progress is None and watch is None:
        return None

    def tell(done: int, total: int, state: Tensor) -> None:
        if progress is not None:
            progress(done, total)
        if watch is not None:
            watch(done, total, state)

    return tell


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
    numbers = times.flatten().tolist()
    descending = len(numbers) > 1 and all(later < earlier for earlier, later in pairwise(numbers))
    if times.ndim != 1 or not descending or numbers[-1] < 0 or numbers[0] > 1:
        raise ConfigError(f"A sampler walks two or more descending times within [0, 1], none twice; it got {numbers}.")
    return times


def estimate(
    denoise: Denoiser,
    x: Tensor,
    t: Tensor,
    coefficients: tuple[Tensor, Tensor],
    clip: Clip | None,
) -> tuple[Tensor, Tensor]:
    """Split a state into its estimated data and its estimated (coloured) noise: x = alpha x_hat + sigma n_hat.

    The noise is a fresh tensor, free to be changed in place.
    """
    alpha, sigma = coefficients
    x_hat = denoise(x, t)
    if clip is None:
        return x_hat, (x - alpha * x_hat).div_(sigma)
    clipped = x_hat.clamp(clip.low, clip.high)
    return clipped, (x - alpha * (clipped if clip.rederive else x_hat)).div_(sigma)


@dataclass
class Walk:
    """The places of a walk, with the coefficients of the schedule there, and a record of whether it stayed finite."""

    schedule: Schedule
    times: Tensor
    watch: Watch | None = None
    _seen: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.times = grid(self.times)
        self.alphas, self.sigmas = self.schedule(self.times)
        self.moments = self.times.unbind()
        # Scalars stay tensors: a number of Python is made into one whenever it meets a tensor.
        self._places = list(zip(self.alphas.unbind(), self.sigmas.unbind(), strict=True))
        self._ends_clean = float(self.times[-1]) == 0.0

    def __len__(self) -> int:
        return len(self.moments) - 1

    def at(self, k: int) -> tuple[Tensor, Tensor]:
        """Alpha and sigma at the k-th time, float64 scalars."""
        return self._places[k]

    def clean(self, k: int) -> bool:
        """Whether the k-th time is the end of all noise."""
        return self._ends_clean and k == len(self)

    def told(self, k: int, x: Tensor) -> Tensor:
        """Note that step k arrived at x, and hand x on."""
        # Looked at after the walk, for looking now would wait for the device; sums take less room, but more time.
        self._seen.append(x if x.numel() * len(self) <= _FEW else x.sum())
        if self.watch is not None:
            self.watch(k + 1, len(self), x)
        return x

    def arrived(self, x: Tensor) -> Tensor:
        """Hand on the last state.

        Raises:
            DivergenceError: it is not finite; the message names the first step whose state was not.
        """
        if math.isfinite(float(x.sum())):
            return x
        for k, seen in enumerate(self._seen):
            if not seen.isfinite().all():
                raise DivergenceError(
                    f"Sampling stopped being finite in step {k + 1} of {len(self)}, at t = {float(self.times[k]):.4g}. "
                    "Is the network trained for this schedule and covariance? Clipping or more steps may help."
                )
        return x
