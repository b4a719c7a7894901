"""How near to the floor the joints of a body can come."""

from functools import lru_cache

import torch
from torch import Tensor

from unveil.body.joints import JOINTS
from unveil.body.parametric import Body
from unveil.studio.actors import Actor

_FEET = [JOINTS.index(f"{side}_{name}") for side in ("left", "right") for name in ("ankle", "foot")]
_FLESH = 0.006  # metres that it gives way


def clearance(body: Body, actor: Actor) -> list[float]:
    """Each joint's height in the scene when it rests on the floor, y = 0, metres.

    That of the feet is their height in the standing body; of other joints, the thickness of the flesh around them.
    """
    return [actor.scale * height for height in _clearance(body, actor.gender, tuple(actor.betas.tolist()))]


@lru_cache(maxsize=32)
def _clearance(body: Body, gender: str, betas: tuple[float, ...]) -> tuple[float, ...]:
    shape = torch.tensor(betas)
    joints, skin = body.rest_joints(shape, gender), body.rest_vertices(shape, gender)
    radius = _radii(joints, skin)
    radius[_FEET] = joints[_FEET, 1] - skin[:, 1].min()
    return tuple(radius.tolist())


def _radii(joints: Tensor, skin: Tensor) -> Tensor:
    apart = torch.cdist(joints, skin)
    return apart.amin(1).clamp_min(0.016) - _FLESH
