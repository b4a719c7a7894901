"""Rotations as turns about the axes one after another, in any order, as motion files write them."""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError

_AXES = "XYZ"


def euler_to_matrix(angles: Tensor, order: str) -> Tensor:
    """Turn about the first axis, then about the second as it lies now, and so on: R = R_1 R_2 R_3.

    Args:
        angles: radians, (..., n), in the order of the letters.
        order: n letters of X, Y and Z, such as "ZYX"; of any number, and a letter may come twice.

    Returns:
        Rotation matrices, (..., 3, 3).
    """
    _check(order)
    if angles.shape[-1] != len(order):
        raise ShapeError(f"{angles.shape[-1]} angles were given for the order '{order}'; give one for each letter.")
    rot = torch.eye(3, dtype=angles.dtype, device=angles.device).expand(*angles.shape[:-1], 3, 3)
    for angle, axis in zip(angles.unbind(-1), order, strict=True):
        rot = rot @ _about(axis, angle)
    return rot


def matrix_to_euler(rot: Tensor, order: str) -> Tensor:
    """Angles in radians of which `euler_to_matrix` makes the rotation again: (..., 3, 3) -> (..., 3).

    The second angle is from -pi/2 to pi/2. Where it is at either end the first and the third turn about the same line, and
    the third is put to 0.

    Args:
        rot: rotation matrices.
        order: three different letters of X, Y and Z.
    """
    _check(order)
    if len(order) != 3 or len(set(order)) != 3:
        raise ConfigError(f"The order '{order}' cannot hold every rotation; give each of X, Y and Z once, as in 'ZYX'.")
    i, j, k = (_AXES.index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0  # -1 where the order runs against x -> y -> z
    sine = sign * rot[..., i, k]
    cosine = torch.hypot(rot[..., i, i], rot[..., i, j])
    second = torch.atan2(sine, cosine)
    locked = cosine < 1e-6
    first = torch.atan2(-sign * rot[..., j, k], rot[..., k, k])
    third = torch.atan2(-sign * rot[..., i, j], rot[..., i, i])
    first = torch.where(locked, torch.atan2(sign * rot[..., k, j], rot[..., j, j]), first)
    return torch.stack([first, second, torch.where(locked, torch.zeros_like(third), third)], -1)


def _about(axis: str, angle: Tensor) -> Tensor:
    cosine, sine, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    rows = {
        "X": (one, zero, zero, zero, cosine, -sine, zero, sine, cosine),
        "Y": (cosine, zero, sine, zero, one, zero, -sine, zero, cosine),
        "Z": (cosine, -sine, zero, sine, cosine, zero, zero, zero, one),
    }
    return torch.stack(rows[axis], -1).unflatten(-1, (3, 3))


def _check(order: str) -> None:
    if not set(order) <= set(_AXES):
        raise ConfigError(f"The order of rotations is '{order}'; it must be made of the letters X, Y and Z.")
