"""Rotations as axis times angle, with gradients that stay finite at the identity."""

import torch
from torch import Tensor

from unveil.geometry.quaternion import matrix_to_quaternion, quaternion_to_axis_angle

_SMALL = 1e-8  # squared angles below this take the series, which is exact there in single precision


def axis_angle_to_matrix(vector: Tensor) -> Tensor:
    """Turn by |vector| radians about vector: (..., 3) -> (..., 3, 3).

    R = I + (sin t / t) K + ((1 - cos t) / t^2) K^2, where K v = vector x v and t = |vector|. Near t = 0 the two factors are
    their Taylor series, so that the gradient is finite there.

    Source: Rodrigues (1840); Murray, Li and Sastry (1994), A mathematical introduction to robotic manipulation, section 2.2.
    """
    squared = (vector * vector).sum(-1)
    small = squared < _SMALL
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    sine = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    # 2 sin^2(t/2) instead of 1 - cos t, which cancels for small angles.
    versine = torch.where(small, 0.5 - squared / 24, 2 * (angle / 2).sin() ** 2 / safe)
    k = cross_matrix(vector)
    identity = torch.eye(3, dtype=vector.dtype, device=vector.device)
    return identity + sine[..., None, None] * k + versine[..., None, None] * (k @ k)


def matrix_to_axis_angle(rot: Tensor) -> Tensor:
    """The axis times the angle of rotation matrices, the angle from 0 to pi: (..., 3, 3) -> (..., 3)."""
    return quaternion_to_axis_angle(matrix_to_quaternion(rot))


def cross_matrix(vector: Tensor) -> Tensor:
    """The matrix K with K v = vector x v: (..., 3) -> (..., 3, 3)."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
