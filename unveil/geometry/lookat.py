"""Rotations that bring one direction to another, and that face a target."""

import torch
import torch.nn.functional as F
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.geometry.axis_angle import cross_matrix


def shortest_rotation(source: Tensor, target: Tensor) -> Tensor:
    """The smallest turn that brings one direction to another: (..., 3) twice -> (..., 3, 3).

    The lengths do not matter. Between opposite directions every half turn across them is equally small, and one is taken.
    """
    u, v = F.normalize(source, dim=-1), F.normalize(target, dim=-1)
    cosine = (u * v).sum(-1)[..., None, None]
    k = cross_matrix(torch.linalg.cross(u, v, dim=-1))
    identity = torch.eye(3, dtype=u.dtype, device=u.device)
    opposite = cosine < -1 + 1e-6
    turn = identity + k + k @ k / torch.where(opposite, torch.ones_like(cosine), 1 + cosine)
    # Across u: the unit vector of the axis that u has least of, made perpendicular to u.
    least = F.one_hot(u.abs().argmin(-1), 3).to(u.dtype)
    across = F.normalize(least - (least * u).sum(-1, keepdim=True) * u, dim=-1)
    half = 2 * across[..., :, None] * across[..., None, :] - identity
    return torch.where(opposite, half, turn)


def look_at(eye: Tensor, target: Tensor, up: Tensor) -> Tensor:
    """Rotations whose third column points from the eye to the target and whose second is as near to `up` as can be.

    Args:
        eye: (..., 3).
        target: (..., 3).
        up: (..., 3), of any length, not along the line of sight.

    Returns:
        (..., 3, 3): the columns point left, up and ahead for one who looks from the eye, as the axes of a body do.

    Raises:
        ConfigError: the target is at the eye, or `up` lies along the line of sight.
    """
    ahead = target - eye
    left = torch.linalg.cross(up.expand_as(ahead), ahead, dim=-1)
    if (ahead.norm(dim=-1) < 1e-6).any() or (left.norm(dim=-1) < 1e-6 * ahead.norm(dim=-1)).any():
        raise ConfigError("look_at needs a target away from the eye, and a direction up that is not the line of sight.")
    ahead, left = F.normalize(ahead, dim=-1), F.normalize(left, dim=-1)
    return torch.stack([left, torch.linalg.cross(ahead, left, dim=-1), ahead], -1)
