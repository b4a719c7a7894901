"""How far a number would move if other samples had been drawn."""

from math import sqrt
from typing import NamedTuple

from scipy.special import ndtri, stdtrit
from torch import Tensor

LEVEL = 0.95
"""The share of intervals that are meant to hold the true value."""


def student_interval(value: float, error: float, degrees: int) -> tuple[float, float]:
    """Reach as many standard errors to both sides as Student's distribution asks for."""
    reach = float(stdtrit(degrees, (1 + LEVEL) / 2)) * error
    return value - reach, value + reach


def mean_interval(values: Tensor) -> tuple[float, float] | None:
    """Give the interval of a mean of independent values (n,); None for fewer than two, or where one is infinite."""
    if len(values) < 2 or not values.isfinite().all():
        return None
    values = values.double()
    return student_interval(values.mean().item(), values.std().item() / sqrt(len(values)), len(values) - 1)


def share_interval(successes: int, n: int) -> tuple[float, float]:
    """Give Wilson's interval of a share of n independent trials; it stays within [0, 1], also at 0 and at 1.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    z, share = float(ndtri((1 + LEVEL) / 2)), successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, min(share, centre - reach)), min(1.0, max(share, centre + reach))  # rounding stays outside


class Jackknife(NamedTuple):
    """What leaving groups of samples out tells of a number.

    Attributes:
        error: its standard error.
        bias: how much too large it is for being measured on finitely many samples, to first order in 1 / n.
        degrees: degrees of freedom of the error.
    """

    error: float
    bias: float
    degrees: int


def jackknife(value: float, left_out: Tensor) -> Jackknife:
    """Judge a number by those measured with one of g random groups left out, (g,), g >= 2.

    Source: Shao and Wu (1989), A general theory for jackknife variance estimation; Quenouille (1956) for the bias.
    """
    g, mean = len(left_out), left_out.double().mean()
    variance = (g - 1) / g * (left_out.double() - mean).square().sum()
    return Jackknife(variance.sqrt().item(), (g - 1) * (mean.item() - value), g - 1)
