"""What all solvers share: the checks of a measurement, the levels they visit and the eyes that watch."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DataError, DivergenceError, ShapeError
from unveil.core.protocols import Operator, Prior, Progress
from unveil.core.random import Randomness

Watch = Callable[[int, int, Tensor], None]
"""Told (steps done, steps in all, the images) after each step."""


FAR = 50.0
"""No image in [-1, 1], however noisy, is measured as a number like this; pixels of 0..255 are."""


def check_measurement(y: Tensor, sigma_y: float) -> None:
    """Refuse a measurement that is no batch of finite numbers, and noise that is no standard deviation."""
    if not math.isfinite(sigma_y) or sigma_y < 0:
        raise ConfigError(
            f"sigma_y is the standard deviation of the measurement's noise, 0 or more; it got {sigma_y}. "
            "Noise of 25 grey levels of 255 is 50 / 255 for images in [-1, 1]."
        )
    if not y.is_floating_point():
        raise DataError(
            f"A measurement holds floating point numbers; this one holds {y.dtype}. Scale it to [-1, 1] first."
        )
    if y.ndim < 2 or len(y) == 0:
        raise ShapeError(f"A measurement is a batch of one or more, (B, ...); this one has shape {tuple(y.shape)}.")
    if not bool(y.isfinite().all()):
        raise DataError(
            "The measurement holds a NaN or an infinity; a pixel that is missing belongs in a mask instead."
        )
    if y.ndim == 4 and float(y.abs().max()) > FAR:
        raise DataError(
            f"The measurement holds numbers up to {float(y.abs().max()):.4g}; images are in [-1, 1]. Bring 0..255 there with "
            "y / 127.5 - 1."
        )


def first_guess(operator: Operator, y: Tensor, start: Tensor | None) -> Tensor:
    """Where a search begins: A+ y, or the images given, (B, C, H, W)."""
    if start is None:
        return operator.pinv(y)
    if len(start) != len(y) or operator.forward(start.to(y)).shape != y.shape:
        raise ShapeError(
            f"The search was to start at images of shape {tuple(start.shape)}, of which the measurement has another shape "
            f"than {tuple(y.shape)}."
        )
    return start.to(y)


def consistent(operator: Operator, v: Tensor, y: Tensor, lam: float) -> Tensor:
    """The x for which lam/2 |A x - y|^2 + 1/2 |x - v|^2 is least; with lam infinite the x nearest v that A maps to y."""
    if math.isinf(lam):
        return v + operator.pinv(y - operator.forward(v))
    return operator.prox(v, y, lam)


def descent(prior: Prior, steps: int | None, first: int | None = None) -> list[int]:
    """Levels to visit from `first`, the highest where none is given, down to 1; `steps` of them, evenly spread."""
    known = len(prior.sigmas)
    top = known if first is None else first
    if not 1 <= top <= known:
        raise ConfigError(f"The search was to start at level {top}; this prior has the levels 1 to {known}.")
    if steps is not None and steps < 1:
        raise ConfigError(f"{steps} steps were asked for; take 1 or more.")
    visits = top if steps is None else min(steps, top)
    if visits == 1:
        return [top]
    return [top - round(k * (top - 1) / (visits - 1)) for k in range(visits)]


def nearest_level(prior: Prior, sigma: float) -> int:
    """The prior's level whose noise differs least from sigma."""
    return 1 + min(range(len(prior.sigmas)), key=lambda j: abs(prior.sigmas[j] - sigma))


def unit_noise(prior: Prior, x: Tensor, level: int, generator: Randomness) -> Tensor:
    """Noise such as a level adds, in units of its standard deviation, with the shape of x."""
    return prior.degrade(torch.zeros_like(x), level, generator) / prior.sigmas[level - 1]


@dataclass(frozen=True)
class Record:
    """Who is told of a search's steps, and whether it stayed finite.

    Attributes:
        steps: steps in all.
        progress: told of each step.
        watch: told of each step, and shown the images.
    """

    steps: int
    progress: Progress | None = None
    watch: Watch | None = None

    def told(self, done: int, x: Tensor) -> None:
        """Say that `done` steps led to x."""
        if self.progress is not None:
            self.progress(done, self.steps)
        if self.watch is not None:
            self.watch(done, self.steps, x)

    def arrived(self, x: Tensor) -> Tensor:
        """Hand on the answer.

        Raises:
            DivergenceError: it is not finite.
        """
        if not bool(x.isfinite().all()):
            raise DivergenceError(
                "The restored images stopped being finite. Is sigma_y the noise that the measurement holds, "
                "and does the prior know images in [-1, 1]?"
            )
        return x


Iterate = Literal["u", "v"]
"""Which of two images to answer with: u agrees with the measurement, v is the prior's."""
