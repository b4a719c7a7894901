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
    operator: Operator, y: Tensor, *, sigma_y: float = 0.0, iterations: int = 100, tol: float = 1e-3
) -> Tensor:
    """Find the x for which |A x - y|^2 / sigma_y^2 + |grad x|^2 / step^2 is least: holes are filled, noise is not amplified.

    The equations (A'A + mu L) x = A'y, with the Laplacian L of the grid, are solved by conjugate gradients: first with mu = 1,
    for then a hole hears soon of its border, and from there with mu as it should be.

    Args:
        operator: A.
        y: the measurement, (B, ...).
        sigma_y: standard deviation of its noise.
        iterations: the most steps of each of the two; what far pixels say of a large hole comes late.
        tol: size of what is left of the equations, beside A'y, at which it is done; 1/10 of it in the first round.

    Returns:
        Images, (B, C, H, W).

    Source: Hestenes and Stiefel (1952), Methods of conjugate gradients for solving linear systems.
    """
    right = operator.adjoint(y)
    x = torch.zeros_like(right)
    for mu, accuracy in ((1.0, tol / 10), ((max(sigma_y, LEAST) / STEP) ** 2, tol)):
        x = _solved(operator, x, right, mu, iterations, accuracy)
    return x


def _solved(operator: Operator, x: Tensor, right: Tensor, mu: float, iterations: int, tol: float) -> Tensor:
    """Conjugate gradients from x; each sample rests when it has arrived."""

    def left(x: Tensor) -> Tensor:
        return operator.adjoint(operator.forward(x)) + mu * laplacian(x)

    residual = direction = right - left(x)
    size, goal = sum_per_sample(residual.square()), tol**2 * sum_per_sample(right.square())
    for _ in range(iterations):
        if bool((size <= goal).all()):
            break
        ahead = left(direction)
        slope = sum_per_sample(direction * ahead)
        step = expand_as(torch.where((slope > 0) & (size > goal), size / slope, 0), x)
        x = x + step * direction
        residual = residual - step * ahead
        before, size = size, sum_per_sample(residual.square())
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
