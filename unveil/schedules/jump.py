"""The jump from one time to another along the path that adds no noise, and what has to be estimated to land somewhere."""

from torch import Tensor

from unveil.core.protocols import Schedule
from unveil.core.shapes import expand_as


def jump(x_t: Tensor, x_hat: Tensor, schedule: Schedule, t: Tensor, u: Tensor) -> Tensor:
    """The state at time u of the one x_t at time t, if x_hat is the data in it: x_u = alpha_u x_hat + sigma_u n_hat.

    A graph is kept.

    Args:
        x_t: (B, ...).
        x_hat: the estimate, like x_t.
        schedule: t -> (alpha, sigma).
        t: times in (0, 1], () or (B,), best in float64.
        u: times of the same shape, below those.

    Source: Song et al. (2021), arXiv:2010.02502, eq. 12 without noise.
    """
    (alpha, sigma), (alpha_u, sigma_u) = schedule(t), schedule(u)
    kept = sigma_u / sigma
    of_data, of_state = (expand_as(c.to(x_t), x_t) for c in (alpha_u - kept * alpha, kept))
    return of_data * x_hat + of_state * x_t


def aim(x_t: Tensor, x_u: Tensor, schedule: Schedule, t: Tensor, u: Tensor) -> Tensor:
    """The estimate with which one `jump` from x_t at time t lands on x_u at time u; at u = 0 that is x_u itself.

    Arguments as for `jump`.

    Source: Salimans and Ho (2022), arXiv:2202.00512, appendix G.
    """
    (alpha, sigma), (alpha_u, sigma_u) = schedule(t), schedule(u)
    kept = sigma_u / sigma
    scale = 1 / (alpha_u - kept * alpha)
    of_end, of_state = (expand_as(c.to(x_t), x_t) for c in (scale, -kept * scale))
    return of_end * x_u + of_state * x_t
