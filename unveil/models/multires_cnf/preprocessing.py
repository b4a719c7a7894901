"""What happens to pixels before the flows: uniform noise within their levels, and the logit, with its determinant."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness, rand
from unveil.core.shapes import sum_per_sample

Logit = Literal["coarsest", "finest", "none"]


@dataclass(frozen=True)
class Levels:
    """The values that a pixel takes, and how they become real numbers in [0, 1).

    Attributes:
        data: how many values pixels in [-1, 1] take: 256 for 8 bits.
        bits: of those pixels that are kept, 1 to 8; all where None.

    Source: Theis et al. (2016), arXiv:1511.01844, section 3.1.
    """

    data: int = 256
    bits: int | None = None

    def __post_init__(self) -> None:
        check_whole("levels", self.data, least=2)
        if self.bits is not None:
            check_whole("bits", self.bits)
        if self.bits is not None and not (self.bits <= 8 and 2**self.bits <= self.data):
            raise ConfigError(f"bits is {self.bits}; it must be from 1 to 8, with no more than the {self.data} levels.")

    @property
    def count(self) -> int:
        """How many values are told apart."""
        return self.data if self.bits is None else 2**self.bits

    def numbers(self, x: Tensor) -> Tensor:
        """Pixels in [-1, 1], or uint8, as whole numbers 0 .. count - 1.

        Raises:
            DataError: they are not of so many levels.
        """
        exact = x.float() if x.dtype == torch.uint8 else (x + 1) * ((self.data - 1) / 2)
        whole = exact.round()
        wrong = (exact - whole).abs() > 0.02 if self.data <= 256 else torch.zeros_like(whole, dtype=torch.bool)
        if not bool(((whole >= 0) & (whole < self.data) & ~wrong).all()):
            raise DataError(
                f"The model is for pixels of {self.data} levels, evenly spaced in [-1, 1], and these are others, from "
                f"{x.min().item():.4g} to {x.max().item():.4g}; set model.levels to what the data have (256 for 8 bits)."
            )
        return whole if self.bits is None else (whole * self.count / self.data).floor()

    def dequantise(self, x: Tensor, generator: Randomness = None) -> Tensor:
        """Pixels spread evenly over their levels, in [0, 1)."""
        whole = self.numbers(x)
        spread = whole + rand(x.shape, generator, device=x.device)
        return torch.minimum(spread, torch.nextafter(whole + 1, whole)) / self.count  # rounding leaves no level

    def quantise(self, u: Tensor) -> Tensor:
        """The levels that real numbers lie in, as pixels in [-1, 1]: undoes `dequantise`."""
        return (u * self.count).floor().clamp(0, self.count - 1) * (2 / (self.count - 1)) - 1


def check_logit(logit: Logit, alpha: float) -> None:
    """Refuse a place or a margin of the logit that cannot be."""
    if logit not in get_args(Logit):
        raise ConfigError(f"logit is {logit!r}; it can be {', '.join(get_args(Logit))}.")
    if not 0 < alpha < 0.5:
        raise ConfigError(
            f"logit_alpha is {alpha}; it lies between 0, where the logit of black would be infinite, and 0.5. Usual are 0.05, "
            "and 1e-6 for digits."
        )


def logit(x: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """The logit of alpha + (1 - 2 alpha) x, and the logarithm of its determinant, (B,)."""
    q = alpha + (1 - 2 * alpha) * x
    log_q, log_rest = q.log(), (-q).log1p()
    return log_q - log_rest, sum_per_sample(math.log(1 - 2 * alpha) - log_q - log_rest)


def unlogit(v: Tensor, alpha: float) -> Tensor:
    """Undo `logit`."""
    return (v.sigmoid() - alpha) / (1 - 2 * alpha)
