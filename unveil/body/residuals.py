"""How far poses are from what effectors ask."""

import torch
from torch import Tensor

from unveil.body.effectors import LOOK_AT, ROTATION, Effectors
from unveil.geometry import angle_between, geodesic_distance, matrix_from_6d


def effector_residuals(effectors: Effectors, positions: Tensor, rotations: Tensor) -> Tensor:
    """What is left undone: metres for positions, radians for rotations and look-ats.

    Args:
        effectors: what is asked; their weights do not matter.
        positions: of all joints in the world, (B, 24, 3).
        rotations: of all joints in the world, (B, 24, 3, 3).

    Returns:
        (B, N), 0 or more.
    """
    row = torch.arange(len(effectors), device=positions.device)[:, None]
    place, turn = positions[row, effectors.joint], rotations[row, effectors.joint]
    away = effectors.data[..., :3] - place
    turned = geodesic_distance(turn, matrix_from_6d(effectors.data))
    aim = (turn @ effectors.data[..., 3:, None]).squeeze(-1)
    found = torch.where(effectors.kind == ROTATION, turned, away.norm(dim=-1))
    return torch.where(effectors.kind == LOOK_AT, angle_between(aim, away), found)
