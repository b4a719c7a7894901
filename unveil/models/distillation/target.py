"""What a student has to estimate, so that one of its steps does what two of its teacher's do."""

import torch
from torch import Tensor

from unveil.core.protocols import Denoiser, Schedule
from unveil.schedules.jump import aim, jump


@torch.no_grad()
def two_steps_in_one(denoise: Denoiser, x_t: Tensor, schedule: Schedule, t: Tensor, u: Tensor) -> Tensor:
    """The estimate of the data with which one step from t to u ends where the teacher's two steps do.

    Args:
        denoise: the teacher.
        x_t: states at times t, (B, ...).
        schedule: t -> (alpha, sigma).
        t: times in (0, 1], () or (B,), best in float64.
        u: where the steps end, below t and of its shape; the first of the two ends half-way.

    Returns:
        Estimates like x_t, without a graph.

    Source: Salimans and Ho (2022), arXiv:2202.00512, algorithm 2.
    """
    half = (t + u) / 2
    x_half = jump(x_t, denoise(x_t, t), schedule, t, half)
    x_u = jump(x_half, denoise(x_half, half), schedule, half, u)
    return aim(x_t, x_u, schedule, t, u)
