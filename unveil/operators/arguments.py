"""What operators ask of the arguments they share."""

import math

from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError

NEGLIGIBLE = 1e-6
"""Singular values under this share of the largest count as zero in pseudo-inverses and filters."""


def check_kernel(kernel: Tensor, axes: int) -> Tensor:
    """The kernel in float64, if one can blur with it."""
    if kernel.ndim != axes or not kernel.numel():
        wanted = "(height, width)" if axes == 2 else "(length,)"
        raise ShapeError(f"A blur's kernel has shape {wanted}; this one has {tuple(kernel.shape)}.")
    kernel = kernel.detach().double()
    if not bool(kernel.isfinite().all()):
        raise ConfigError("A blur's kernel needs finite numbers; this one holds a NaN or an infinity.")
    if abs(float(kernel.sum())) <= 1e-12 * float(kernel.abs().sum()):
        raise ConfigError("The numbers of this kernel sum to zero, so it would blur every flat picture to 0.")
    return kernel


def check_weight(lam: float) -> None:
    """Refuse a weight of the measurement that makes no minimum."""
    if not 0 < lam < math.inf:
        raise ConfigError(
            f"A proximal step got lam={lam}; it multiplies |A x - y|^2 / 2, so it is a finite number above zero."
        )


def check_prox(lam: float, measured: Tensor, y: Tensor) -> None:
    """Refuse such a weight, or a measurement that the operator cannot have made."""
    check_weight(lam)
    if measured.shape != y.shape:
        raise ShapeError(
            f"The operator measures these images as {tuple(measured.shape)}, but the measurement given has shape "
            f"{tuple(y.shape)}. Was it made by another operator, or of images of another size?"
        )
