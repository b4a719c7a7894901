"""Rotations as unit quaternions, real part first: (w, x, y, z)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Rotation matrices of quaternions of any length but 0: (..., 4) -> (..., 3, 3)."""
    w, x, y, z = F.normalize(quaternion, dim=-1).unbind(-1)
    return torch.stack(
        [
            *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        ],
        -1,
    ).unflatten(-1, (3, 3))


def matrix_to_quaternion(rot: Tensor) -> Tensor:
    """Unit quaternions with w >= 0 of rotation matrices: (..., 3, 3) -> (..., 4).

    Of the four components the largest is a root, and the others are quotients by it, so nothing is lost near half turns.

    Source: Shepperd (1978), Quaternion from rotation matrix.
    """
    xx, yy, zz = rot.diagonal(dim1=-2, dim2=-1).unbind(-1)
    squares = torch.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], -1)  # 4 q^2
    wx, wy, wz = rot[..., 2, 1] - rot[..., 1, 2], rot[..., 0, 2] - rot[..., 2, 0], rot[..., 1, 0] - rot[..., 0, 1]
    xy, xz, yz = rot[..., 0, 1] + rot[..., 1, 0], rot[..., 0, 2] + rot[..., 2, 0], rot[..., 1, 2] + rot[..., 2, 1]
    w, x, y, z = squares.unbind(-1)
    products = torch.stack([w, wx, wy, wz, wx, x, xy, xz, wy, xy, y, yz, wz, xz, yz, z], -1).unflatten(-1, (4, 4))
    largest = squares.argmax(-1)
    row = products.gather(-2, largest[..., None, None].expand(*largest.shape, 1, 4)).squeeze(-2)
    # normalize() divides by the root of the largest square too: the row is 4 q times that component.
    quaternion = F.normalize(row, dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def quaternion_to_axis_angle(quaternion: Tensor) -> Tensor:
    """The axis times the angle of unit quaternions, the angle from 0 to pi: (..., 4) -> (..., 3)."""
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    w, v = quaternion[..., 0], quaternion[..., 1:]
    squared = (v * v).sum(-1)
    small = squared < 1e-14
    length = torch.where(small, torch.ones_like(squared), squared).sqrt()
    factor = torch.where(small, 2 / w.clamp_min(0.5), 2 * torch.atan2(length, w) / length)
    return factor[..., None] * v


def slerp(start: Tensor, end: Tensor, share: Tensor | float) -> Tensor:
    """Go a share of the shortest way between two unit quaternions, at constant speed.

    Args:
        start: (..., 4), where share is 0.
        end: (..., 4), where share is 1.
        share: a number, or a tensor that broadcasts against (...).

    Source: Shoemake (1985), Animating rotation with quaternion curves.
    """
    share = torch.as_tensor(share, dtype=start.dtype, device=start.device)[..., None]
    end = torch.where((start * end).sum(-1, keepdim=True) < 0, -end, end)
    # The angle from both the sum and the difference is exact near 0 and near pi; arccos is neither.
    angle = 2 * torch.atan2((end - start).norm(dim=-1, keepdim=True), (end + start).norm(dim=-1, keepdim=True))
    sine = angle.sin()
    near = sine < 1e-6
    safe = torch.where(near, torch.ones_like(sine), sine)
    first = torch.where(near, 1 - share, ((1 - share) * angle).sin() / safe)
    second = torch.where(near, share, (share * angle).sin() / safe)
    return F.normalize(first * start + second * end, dim=-1)


def unroll(quaternions: Tensor) -> Tensor:
    """Choose the sign of every quaternion of a sequence so that it lies next to the one before: (T, ..., 4).

    A quaternion and its negative are the same rotation, but numbers between the two are not.
    """
    turned = (quaternions[1:] * quaternions[:-1]).sum(-1, keepdim=True) < 0
    signs = torch.where(turned, -1.0, 1.0).cumprod(0).to(quaternions.dtype)
    return torch.cat([quaternions[:1], signs * quaternions[1:]])
