"""How the embedded body's shape can vary: ten directions, and two genders beside the neutral one."""

from typing import NamedTuple

import numpy as np
import torch

from unveil.body.embedded.capsules import bone_children, capsules, rest_joints
from unveil.body.embedded.distance import capsule_distances
from unveil.body.joints import JOINTS, PARENTS, find_joint

_SPREAD = 0.015  # metres: how far a capsule's say reaches beyond the nearest one's


class Direction(NamedTuple):
    """One way to vary.

    Attributes:
        joints: displacement of the joints, (24, 3), metres.
        girth: growth of the flesh around the bone of each joint, (24,), as a share.
    """

    joints: np.ndarray
    girth: np.ndarray


def shape_directions() -> list[Direction]:
    """The ten directions, each per unit of its number."""
    thin = _girth(0.012, "head wrist hand foot ankle")
    return [
        Direction(0.035 * rest_joints(), np.full(24, 0.035)),  # stature
        Direction(
            _offsets(),
            _girth(0.060, "pelvis spine1 spine2 spine3") + _girth(0.035, "hip knee collar shoulder elbow neck") + thin,
        ),
        Direction(_offsets((0.02, "knee ankle")), _girth()),  # legs
        Direction(_offsets((0.02, "elbow wrist")), _girth()),  # arms
        Direction(_offsets((0.015, "spine1 spine2 spine3 neck")), _girth()),
        Direction(_offsets((0.03, "collar shoulder"), only_x=True), _girth(0.012, "spine3")),
        Direction(_offsets((0.03, "hip"), only_x=True), _girth(0.025, "pelvis hip")),
        Direction(_offsets((0.015, "head")), _girth(0.025, "head")),
        Direction(_offsets(), _girth(0.03, "hip knee shoulder elbow")),  # thickness of the limbs
        Direction(_offsets((0.015, "ankle wrist"), (-0.015, "knee elbow")), _girth()),
    ]


def gender_directions() -> dict[str, Direction]:
    """What takes the neutral body to the others."""
    female = -0.04 * rest_joints()
    female = female + _offsets((-0.09, "shoulder"), only_x=True) + _offsets((0.06, "hip"), only_x=True)
    male = 0.04 * rest_joints() + _offsets((0.07, "shoulder"), only_x=True)
    return {
        "male": Direction(male, np.full(24, 0.05)),
        "female": Direction(female, np.full(24, -0.07) + _girth(0.10, "pelvis hip")),
    }


def vertex_field(vertices: np.ndarray, directions: list[Direction]) -> np.ndarray:
    """How the skin follows the joints and the flesh, (K, V, 3)."""
    parts, rest = capsules(), rest_joints()
    distances = capsule_distances(torch.from_numpy(vertices), parts)[0].numpy()
    say = np.exp(-(distances - distances.min(1, keepdims=True)) / _SPREAD)
    say /= say.sum(1, keepdims=True)
    field = np.zeros((len(directions), *vertices.shape))
    for i, owner in enumerate(parts.owner):
        child = _child(owner, (parts.start[i] + parts.end[i]) / 2)
        bone = rest[child] - rest[owner]
        share = np.clip((vertices - rest[owner]) @ bone / max(bone @ bone, 1e-12), 0, 1)[:, None]
        flesh = vertices - (rest[owner] + share * bone)
        for k, direction in enumerate(directions):
            moved = (1 - share) * direction.joints[owner] + share * direction.joints[child]
            field[k] += say[:, i : i + 1] * (moved + direction.girth[owner] * flesh)
    return field


def _child(owner: int, middle: np.ndarray) -> int:
    """The child whose bone passes nearest; the joint itself if it has none."""
    rest, children = rest_joints(), bone_children()[owner]

    def away(child: int) -> float:
        bone = rest[child] - rest[owner]
        share = np.clip((middle - rest[owner]) @ bone / (bone @ bone), 0, 1)
        return float(np.linalg.norm(middle - rest[owner] - share * bone))

    return min(children, key=away, default=owner)


def _both(names: str) -> list[int]:
    found = []
    for name in names.split():
        found += [find_joint(name)] if name in JOINTS else [find_joint(f"left_{name}"), find_joint(f"right_{name}")]
    return found


def _girth(gain: float = 0.0, names: str = "") -> np.ndarray:
    girth = np.zeros(24)
    girth[_both(names)] = gain
    return girth


def _offsets(*changes: tuple[float, str], only_x: bool = False) -> np.ndarray:
    """Displacements where some joints' offsets from their parents grow by a share, and all below moves along."""
    rest = rest_joints()
    grown = np.zeros((24, 3))
    for share, names in changes:
        for joint in _both(names):
            grown[joint] = share * (rest[joint] - rest[PARENTS[joint]])
    if only_x:
        grown[:, 1:] = 0
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            grown[joint] += grown[parent]
    return grown
