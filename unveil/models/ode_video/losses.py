"""What a model of paths minimises: sums over pixels, frames and numbers of the state; one value for each clip."""

import math
from typing import Literal

from torch import Tensor

from unveil.core.shapes import sum_per_sample

Stop = Literal["none", "encoder", "ode"]


def gaussian_log_density(x: Tensor, mean: Tensor, sigma: float) -> Tensor:
    """log N(x; mean, sigma^2 I) with all its constants, (B, ...) -> (B,)."""
    count = x[0].numel() if len(x) else 0
    constant = count * (math.log(sigma) + 0.5 * math.log(2 * math.pi))
    return -0.5 * sum_per_sample((x - mean).square()) / sigma**2 - constant


def kl_to_standard(mean: Tensor, log_var: Tensor, *, free_bits: float = 0.0) -> Tensor:
    """The divergence of N(mean, exp(log_var)) from N(0, I), (B, d) -> (B,) in nats.

    With `free_bits` a number of the state that says less than so many nats costs as if it said them, so that it gains
    nothing by falling silent.
    """
    each = 0.5 * (mean.square() + log_var.exp() - 1 - log_var)
    return each.clamp(min=free_bits).sum(1) if free_bits else each.sum(1)


def two_terms(
    x: Tensor, x_hat: Tensor, embedded: Tensor, states: Tensor, *, weight: float = 1.0, stop: Stop = "none"
) -> tuple[Tensor, Tensor]:
    """Squared errors of frames, and of the encoder's own states of those frames, each (B,).

    Args:
        x: frames, (B, n, C, H, W).
        x_hat: what the path gives for them.
        embedded: q(x_i), the encoder's state of each frame, (B, n, d).
        states: the path's state at the same times.
        weight: of the second term.
        stop: which side of the second term is not moved by it.

    Source: Voleti et al. (2019), arXiv:2109.03292, the loss without chance.
    """
    embedded = embedded.detach() if stop == "encoder" else embedded
    states = states.detach() if stop == "ode" else states
    return sum_per_sample((x - x_hat).square()), weight * sum_per_sample((embedded - states).square())
