"""The three published chains of degradations: noise alone, and two that also take pixels away."""

import warnings
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.models.restoration.degradation import Degradation, Level
from unveil.operators import Downsample, Identity

Spacing = Literal["linear", "square", "geometric"]

_FIRST_BETA = 1e-8
_EARLIEST = 1e-3


def noise_levels(
    steps: int, spacing: Spacing = "linear", limits: tuple[float, float] | None = None
) -> tuple[Tensor, Tensor]:
    """Alpha and sigma of levels 0 .. steps, (steps + 1,), float64, with alpha^2 + sigma^2 = 1; level 0 holds noise of 1e-4.

    Args:
        steps: how many levels after the first.
        spacing: "linear" takes even times of a variance-preserving process; "square" squares them, for finer steps near
            the data; "geometric" lets the variance of the noise grow by a constant factor.
        limits: the least and greatest beta of that process, 0.1 and 20 by default; for "geometric" the first and last
            variance, 1e-4 and 0.9999 by default.

    Raises:
        ConfigError: an argument cannot work.

    Source: Xiao et al. (2022), arXiv:2112.07804, appendix B, whose continuous process is Song et al. (2021),
    arXiv:2011.13456; "square" and "geometric" as in the released code of Choi et al. (2023).
    """
    if steps < 1:
        raise ConfigError(f"A chain got steps={steps}; it needs 1 or more, and 4 is usual.")
    if spacing not in ("linear", "square", "geometric"):
        raise ConfigError(f"A chain got spacing={spacing!r}; it can be 'linear', 'square' or 'geometric'.")
    low, high = limits or ((1e-4, 0.9999) if spacing == "geometric" else (0.1, 20.0))
    if not 0 < low < high or (spacing == "geometric" and high >= 1):
        raise ConfigError(
            f"A chain got limits=({low}, {high}); they rise from above 0, and for 'geometric' they are variances below 1."
        )
    t = _EARLIEST + (1 - _EARLIEST) * torch.arange(steps + 1, dtype=torch.float64) / steps
    if spacing == "geometric":
        kept = (-(low * (high / low) ** t)).log1p()
    else:
        t = t if spacing == "linear" else t**2
        kept = -(t**2) * (high - low) / 2 - t * low
    # What the earliest time has kept already is taken for all; a little noise is put in its place.
    log_kept = kept - kept[0] + torch.tensor(-_FIRST_BETA, dtype=torch.float64).log1p()
    return (log_kept / 2).exp(), (-log_kept.expm1()).sqrt()


def noising(steps: int = 4, spacing: Spacing = "linear", limits: tuple[float, float] | None = None) -> Degradation:
    """RGM-D: noise alone, y_k = alpha_k x + sigma_k n. Arguments as for `noise_levels`."""
    same = Identity()
    alphas, sigmas = (values.tolist() for values in noise_levels(steps, spacing, limits))
    return Degradation([Level(same, a, s) for a, s in zip(alphas, sigmas, strict=True)], start_std=1.0)


def naive_super_resolution(
    steps: int = 3, spacing: Spacing = "linear", limits: tuple[float, float] | None = None
) -> Degradation:
    """RGM-SR naive: every level halves the sides and adds noise, of std sigma_k / 2^k on each remaining pixel.

    The sides of an image are multiples of 2^steps. Arguments as for `noise_levels`.
    """
    alphas, sigmas = (values.tolist() for values in noise_levels(steps, spacing, limits))
    levels = [
        Level(_smaller(k), alpha, sigma / 2**k) for k, (alpha, sigma) in enumerate(zip(alphas, sigmas, strict=True))
    ]
    return Degradation(levels, start_std=0.5**steps)


def super_resolution(
    steps: int = 7, spacing: Spacing = "linear", limits: tuple[float, float] | None = None
) -> Degradation:
    """RGM-SR: odd levels add noise, even ones take the mean of 2 x 2 pixels and with it half of the noise away.

    Level k halves the sides floor(k / 2) times and holds noise of std 2 sigma_i (k odd) or sigma_i (k even), where i is k / 2
    rounded up. The sides of an image are multiples of 2^floor(steps / 2).

    Args:
        steps: odd, so that the last one adds noise; an even number is taken with a warning, and begins at half the noise.
        spacing: see `noise_levels`, of which there are half as many, rounded up.
        limits: see `noise_levels`.
    """
    if steps >= 1 and steps % 2 == 0:
        warnings.warn(
            f"super_resolution with {steps} steps ends by taking pixels away instead of adding noise; an odd number such "
            f"as {steps + 1} is what was published.",
            stacklevel=2,
        )
    alphas, sigmas = (
        values.tolist() for values in noise_levels((steps + 1) // 2 if steps > 0 else steps, spacing, limits)
    )
    operators = [_smaller(i) for i in range(steps // 2 + 1)]
    levels = [Level(operators[0], alphas[0], sigmas[0])]
    for k in range(1, steps + 1):
        i = (k + 1) // 2
        levels.append(Level(operators[k // 2], alphas[i], sigmas[i] * (2 if k % 2 else 1)))
    return Degradation(levels, start_std=2.0 if steps % 2 else None)


def _smaller(halvings: int) -> Identity | Downsample:
    return Downsample(2**halvings) if halvings else Identity()
