"""What counts as wrong in a pose: what was asked for, weighted by how exactly, and all that was not asked."""

from typing import NamedTuple

import torch
from torch import Tensor

from unveil.geometry import angle_between, geodesic_distance
from unveil.models.pose_ik.drawing import Asked
from unveil.models.pose_ik.learning import Loss

_METRES = 100.0  # a squared error of so many square metres counts as one radian does
_MOST = 1000.0  # weight of what is asked exactly


class Placed(NamedTuple):
    """A pose with all of its joints.

    Attributes:
        rotations: local, (B, 24, 3, 3).
        world: rotations in the world, (B, 24, 3, 3).
        positions: (B, 24, 3).
    """

    rotations: Tensor
    world: Tensor
    positions: Tensor


def pose_loss(kind: Loss, asked: Asked, truth: Placed, draft: Tensor, made: Placed) -> tuple[Tensor, dict[str, Tensor]]:
    """What training minimises, and its parts.

    Args:
        kind: "protores" or "release".
        asked: the effectors.
        truth: the pose they were taken from.
        draft: where the network's first decoder has the joints, (B, 24, 3).
        made: the pose it makes.

    Source: Oreshkin et al. (2022), arXiv:2106.01981, algorithm 1.
    """
    row = torch.arange(len(draft), device=draft.device)[:, None]
    weight = (1 / asked.tolerance.clamp_min(1 / _MOST)).clamp_max(_MOST)
    places, turns, looks = asked.joint[:, asked.positions], asked.joint[:, asked.rotations], asked.joint[:, asked.looks]
    after = (made.positions - truth.positions).square().mean(-1)  # (B, 24)
    parts = {
        "asked": _METRES * _mean(after[row, places], weight[:, asked.positions]),
        "local": geodesic_distance(made.rotations, truth.rotations).mean(),
    }
    if kind == "protores":
        before = (draft - truth.positions).square().mean(-1)
        parts["draft"] = _METRES * (_mean(before[row, places], weight[:, asked.positions]) + before.mean())
        parts["joints"] = _METRES * after.mean()
    if asked.counts.rotations:
        angles = geodesic_distance(made.world[row, turns], truth.world[row, turns])
        parts["world"] = _mean(angles, weight[:, asked.rotations])
    if asked.counts.looks:
        target, direction = asked.data[:, asked.looks].split(3, -1)
        pointed = (made.world[row, looks] @ direction[..., None]).squeeze(-1)
        parts["looks"] = angle_between(pointed, target - made.positions[row, looks]).mean()
    return torch.stack(list(parts.values())).sum(), {name: part.detach() for name, part in parts.items()}


def _mean(errors: Tensor, weight: Tensor) -> Tensor:
    return (weight * errors).sum() / weight.sum()
