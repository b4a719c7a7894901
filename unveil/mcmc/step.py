"""One Langevin step, as every chain takes it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_amount
from unveil.core.random import Randomness, randn_like
from unveil.core.shapes import expand_as


@dataclass(frozen=True)
class LangevinStep:
    """x <- clip(x - step_size/2 grad U(x) + noise e), with e from N(0, 1).

    An energy U is low where data is. At the noise sqrt(step_size) the chain draws from exp(-U), but for an error that
    shrinks with the step; with another noise it draws, roughly, from exp(-U / tau) with tau = noise^2 / step_size, and
    without any it runs downhill.

    Attributes:
        step_size: h, above 0.
        noise: its standard deviation: a number, one a sample (B,), or None for sqrt(step_size).
        bounds: lowest and highest value that a state may have; others are clipped.
        longest: the drift of a sample that is longer than this, as a Euclidean norm, is shortened to it.
    """

    step_size: float
    noise: float | Tensor | None = None
    bounds: tuple[float, float] | None = None
    longest: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("step_size", self.step_size), ("longest", self.longest)):
            if value is not None:
                check_amount(name, value)
                if value == 0:
                    raise ConfigError(f"{name} is 0; it must be above 0.")
        if isinstance(self.noise, Tensor):
            if self.noise.ndim != 1:
                raise ShapeError(
                    f"The noise is one number or one a sample, (B,); it has shape {tuple(self.noise.shape)}."
                )
        elif self.noise is not None:
            check_amount("noise", self.noise)
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ConfigError(f"The bounds of a chain rise; they are {self.bounds[0]} and {self.bounds[1]}.")

    def check(self, x: Tensor) -> None:
        """Refuse a state (B, ...) that these numbers do not fit.

        Raises:
            ShapeError: another number of samples than of noises, or a state that is no batch.
        """
        if x.ndim == 0:
            raise ShapeError("A chain's state has its samples along the first axis; it got a single number.")
        if isinstance(self.noise, Tensor) and len(self.noise) != len(x):
            raise ShapeError(f"{len(self.noise)} noises were given for {len(x)} samples; give one a sample.")

    def drift(self, slope: Tensor) -> Tensor:
        """The way downhill, -step_size/2 grad U, each sample's no longer than `longest`."""
        drift = slope * (-self.step_size / 2)
        if self.longest is None:
            return drift
        if drift.ndim == 1:
            return drift.clamp(-self.longest, self.longest)
        return torch.renorm(drift, 2, 0, self.longest)

    def move(self, x: Tensor, drift: Tensor, generator: Randomness = None) -> Tensor:
        """Take the step, as a fresh tensor."""
        moved = x + drift
        if isinstance(self.noise, Tensor):
            moved.add_(randn_like(x, generator).mul_(expand_as(self.noise.to(x), x)))
        else:
            noise = math.sqrt(self.step_size) if self.noise is None else self.noise
            if noise > 0:
                moved.add_(randn_like(x, generator), alpha=noise)
        return moved if self.bounds is None else moved.clamp_(*self.bounds)
