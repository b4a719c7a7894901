"""What a network may predict, and how each prediction becomes an estimate of the data.

Of x_t = alpha x + sigma n with n = R e: "eps" is the white noise e, "n" the coloured noise, "x" the data, and
"v" = alpha n - sigma x.
"""

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor

from unveil.core.protocols import Covariance

Predict = Literal["eps", "n", "x", "v"]
Condition = Literal["time", "log-sigma", "none"]

Network = Callable[..., Tensor]
"""(x_t, times) -> prediction, as `Diffusion` describes it."""

Scale = Any
"""A number of all samples, or a tensor (B, 1, 1, 1) of one for each."""


def target(predict: Predict, x: Tensor, eps: Tensor, n: Tensor, alpha: Scale, sigma: Scale) -> Tensor:
    """What the network should have said, (B, ...)."""
    match predict:
        case "eps":
            return eps
        case "n":
            return n
        case "x":
            return x
        case "v":
            return alpha * n - sigma * x


def to_x_hat(predict: Predict, out: Tensor, x_t: Tensor, alpha: Scale, sigma: Scale, cov: Covariance) -> Tensor:
    """The expected denoised sample that a prediction stands for.

    Source: Efron (2011), Tweedie's formula; for "v" Salimans and Ho (2022), arXiv:2202.00512, section 4.
    """
    match predict:
        case "eps":
            return (x_t - sigma * cov.sqrt(out)) / alpha
        case "n":
            return (x_t - sigma * out) / alpha
        case "x":
            return out
        case "v":
            return alpha * x_t - sigma * out


def to_eps(predict: Predict, out: Tensor, x_t: Tensor, alpha: Scale, sigma: Scale, cov: Covariance) -> Tensor:
    """The white noise that a prediction stands for."""
    match predict:
        case "eps":
            return out
        case "n":
            return cov.inv_sqrt(out)
        case "x":
            return cov.inv_sqrt((x_t - alpha * out) / sigma)
        case "v":
            return cov.inv_sqrt(sigma * x_t + alpha * out)
