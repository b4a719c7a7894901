"""Guidance turns denoisers into a denoiser, so that every sampler gains it."""

from torch import Tensor

from unveil.core.protocols import Denoiser


def guided(conditional: Denoiser, unconditional: Denoiser, scale: float) -> Denoiser:
    """Push estimates away from what an unconditional denoiser would say: x_u + scale (x_c - x_u).

    Args:
        scale: 0 is unconditional, 1 conditional, larger follows the condition at the price of variety.

    Source: Ho and Salimans (2022), arXiv:2207.12598, eq. 6, where w = scale - 1.
    """

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        free = unconditional(x_t, t)
        return free + scale * (conditional(x_t, t) - free)

    return denoise
