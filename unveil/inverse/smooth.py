"""Where to begin: the smoothest image that explains a measurement."""

import torch
from torch import Tensor

from unveil.core.protocols import Operator
from unveil.core.shapes import expand_as, sum_per_sample

STEP = 0.15
"""Standard deviation of the difference of neighbouring pixels in photographs in [-1, 1], about."""
LEAST = 0.01
"""Noise that a measurement is taken to hold at least, so that the equations stay well behaved."""


@torch.no_grad()
def smoothest(
    operator: Operator, y: Tensor, *, sigma_y: float = 0.0, iterations: int = 40, tol: float = 1e-3
) -> Tensor:
    """Find the x for which |A x - y|^2 / sigma_y^2 + |grad x|^2 / step^2 is least: holes are filled, noise is not amplified.

    The equations (A'A + mu L) x = A'y, with the Laplacian L of the grid, are solved by conjugate gradients.

    Args:
        operator: A.
        y: the measurement, (B, ...).
        sigma_y: standard deviation of its noise.
        iterations: the most steps; what far pixels say of a large hole comes late.
        tol: size of what is left of the equations, beside A'y, at which it is done.

    Returns:
        Images, (B, C, H, W).

    Source: Hestenes and Stiefel (1952), Methods of conjugate gradients for solving linear systems.
    """
    mu = (max(sigma_y, LEAST) / STEP) ** 2

    def left(x: Tensor) -> Tensor:
        return operator.adjoint(operator.forward(x)) + mu * laplacian(x)

    right = operator.adjoint(y)
    x = torch.zeros_like(right)
    residual = direction = right
    size = goal = sum_per_sample(residual.square())
    for _ in range(iterations):
        ahead = left(direction)
        slope = sum_per_sample(direction * ahead)
        step = expand_as(torch.where(slope > 0, size / slope, 0), x)
        x = x + step * direction
        residual = residual - step * ahead
        before, size = size, sum_per_sample(residual.square())
        if bool((size <= tol**2 * goal).all()):
            break
        direction = residual + expand_as(torch.where(before > 0, size / before, 0), x) * direction
    return x


def laplacian(x: Tensor) -> Tensor:
    """The Laplacian D'D of differences D between neighbours, (..., H, W), without any beyond the borders."""
    total = torch.zeros_like(x)
    for axis in (-2, -1):
        across = x.diff(dim=axis)
        length = across.shape[axis]
        total.narrow(axis, 0, length).sub_(across)
        total.narrow(axis, 1, length).add_(across)
    return total
