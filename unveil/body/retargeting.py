"""A motion of one skeleton, on a skeleton of other proportions, names and frames."""

from typing import NamedTuple

import torch
from torch import Tensor

from unveil.body.joint_maps import JointMap, find_joints
from unveil.body.kinematics import local_rotations
from unveil.body.motion import Motion, between
from unveil.body.planting import keep_feet
from unveil.body.skeleton import Skeleton
from unveil.core.errors import DataError
from unveil.geometry import euler_to_matrix, shortest_rotation

_FACING = 0.35  # radians by which two bind poses may face apart before one is turned round
_LIMBS = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
_SIDES = ("left", "right")


class RetargetError(DataError):
    """A skeleton that is not human enough to take or to give a motion."""


def retarget(
    motion: Motion,
    target: Skeleton,
    *,
    source_map: JointMap | None = None,
    target_map: JointMap | None = None,
    plant: bool = False,
) -> Motion:
    """Give a motion to another skeleton, so that its limbs point where those of the first do.

    What is carried over is how each joint has turned in the world since the bind pose, whatever the axes of its frame, and
    for limbs the direction of the bone, so that one skeleton may be bound in a T-pose and the other in an A-pose. Trunk,
    head and feet keep the target's own build. Spines of other numbers of joints bend alike from bottom to top; joints that
    the first skeleton has none for stay as they are bound. The way of the pelvis is scaled by the lengths of the legs.

    Args:
        motion: of the first skeleton. Both skeletons stand along Y in bind pose.
        target: who shall move.
        source_map: which joints of the first are a human's; found by names and tree unless given.
        target_map: the same of the target.
        plant: whether feet that stand still in the motion are made to stand still exactly.

    Returns:
        A motion of the target of as many frames; bones keep their lengths.

    Raises:
        RetargetError: naming the joints that a skeleton lacks.

    Source: Gleicher (1998), Retargetting motion to new characters, for the task; Monzani et al. (2000), Using an intermediate
    skeleton and inverse kinematics for motion retargeting, section 3, for working with turns since a common stance.
    """
    source = motion.skeleton
    here, there = _Human.of(source, source_map, "The motion's skeleton"), _Human.of(target, target_map, "The target")
    world, positions = (values.to(target.rotations) for values in motion.world())
    bind = source.rotations.to(world)
    here = here._replace(places=here.places.to(world))
    way = positions[:, here.joints["pelvis"]] - here.places[here.joints["pelvis"]]  # (T, 3)
    about = _facing(here, there)
    here = here._replace(places=here.places @ about.T)
    turned = about @ world @ bind.transpose(-1, -2) @ about.T  # (T, J, 3, 3), since the bind pose
    way = way @ about.T

    lean = shortest_rotation(there.trunk, here.trunk)
    turns: dict[int, Tensor] = {}  # of the target's joints, (T, 3, 3)
    for name in here.joints.keys() & there.joints.keys():
        turns[there.joints[name]] = turned[:, here.joints[name]] @ _build(name, here, there, lean)
    turns |= {joint: turn @ lean for joint, turn in _spine(here, there, turned).items()}

    found = turned.new_empty(len(turned), len(target), 3, 3)
    for joint, parent in enumerate(target.parents):
        if joint in turns:
            found[:, joint] = turns[joint] @ target.rotations[joint]
        else:
            above = found[:, parent] if parent >= 0 else torch.eye(3).to(found)
            found[:, joint] = above @ target.local[joint]
    local = local_rotations(found, target.parents)
    pelvis = there.joints["pelvis"]
    goal = target.positions[pelvis] + there.leg / here.leg * way
    root = target.positions[0].expand_as(goal)
    root = root + goal - target.place(local, root)[1][:, pelvis]
    moved = Motion(target, local, root, motion.fps)
    return keep_feet(moved, there.joints, motion, here.joints, here.leg) if plant else moved


class _Human(NamedTuple):
    skeleton: Skeleton
    joints: dict[str, int]  # the skeleton's number of each joint of a body
    places: Tensor  # in bind pose, (J, 3)

    @classmethod
    def of(cls, skeleton: Skeleton, given: JointMap | None, what: str) -> "_Human":
        found = find_joints(skeleton) if given is None else given
        if found.missing:
            raise RetargetError(
                f"{what} has no joint for {', '.join(found.missing)}, so it can neither take nor give a human's motion. If "
                "they are there under names of their own, give a joint map that names them."
            )
        human = cls(skeleton, found.indices(skeleton), skeleton.positions)
        if not 0 < human.leg < float("inf"):
            raise RetargetError(f"{what} has legs without length, so nothing tells how large it is.")
        return human

    def bone(self, start: str, end: str) -> Tensor:
        return self.places[self.joints[end]] - self.places[self.joints[start]]

    @property
    def trunk(self) -> Tensor:
        """From between the hips to between the shoulders."""
        return self.places[[self.joints[f"{side}_shoulder"] for side in _SIDES]].mean(0) - self.places[
            [self.joints[f"{side}_hip"] for side in _SIDES]
        ].mean(0)

    @property
    def leg(self) -> float:
        """Its length, both sides averaged."""
        bones = [
            self.bone(f"{side}_{a}", f"{side}_{b}") for side in _SIDES for a, b in (("hip", "knee"), ("knee", "ankle"))
        ]
        return float(torch.stack(bones).norm(dim=1).sum()) / 2

    @property
    def spine(self) -> list[int]:
        """The joints above the pelvis up to the one that carries both arms."""
        parents = self.skeleton.parents
        left, right = ([*_above(parents, self.joints[f"{side}_shoulder"])] for side in _SIDES)
        shared = [joint for joint in left if joint in right]
        pelvis = self.joints["pelvis"]
        return shared[: shared.index(pelvis)][::-1] if pelvis in shared else []


def _above(parents: tuple[int, ...], joint: int) -> list[int]:
    """The joint's parent, the parent's parent and so on."""
    found = []
    while parents[joint] >= 0:
        joint = parents[joint]
        found.append(joint)
    return found


def _facing(here: _Human, there: _Human) -> Tensor:
    """How the first skeleton must be turned about Y to face where the target faces; not at all for a little."""
    angles = []
    for human in (here, there):
        left = human.bone("right_hip", "left_hip") + human.bone("right_shoulder", "left_shoulder")
        angles.append(torch.atan2(-left[2], left[0]))
    turn = torch.atan2((angles[1] - angles[0]).sin(), (angles[1] - angles[0]).cos())
    turn = torch.where(turn.abs() > _FACING, turn, torch.zeros_like(turn))
    return euler_to_matrix(turn[None], "Y").to(there.places)


def _build(name: str, here: _Human, there: _Human, lean: Tensor) -> Tensor:
    """The turn that makes the target's bone, as it is bound, point where the first skeleton's bone does."""
    side, _, part = name.partition("_")
    if part in ("wrist", "hand"):
        part = "elbow"  # hands lie along the forearm when they are bound
    if part in ("ankle", "foot"):
        # Feet stand flat when they are bound, wherever a skeleton has its toes; only where they head is compared.
        toes = f"{side}_foot"
        if toes not in here.joints or toes not in there.joints:
            return torch.eye(3).to(lean)
        flat = torch.tensor([1.0, 0.0, 1.0]).to(lean)
        headings = [human.bone(f"{side}_ankle", toes) * flat for human in (there, here)]
        if min(float(heading.norm()) for heading in headings) < 1e-3:
            return torch.eye(3).to(lean)
        return shortest_rotation(*headings)
    if part in _LIMBS:
        bone = f"{side}_{part}", f"{side}_{_LIMBS[part]}"
        return shortest_rotation(there.bone(*bone), here.bone(*bone))
    return lean


def _spine(here: _Human, there: _Human, turned: Tensor) -> dict[int, Tensor]:
    """How the target's spine turns: joint by joint if there are as many, or else as the other spine does at that height."""
    source, target = here.spine, there.spine
    if len(source) == len(target):
        return {joint: turned[:, other] for joint, other in zip(target, source, strict=True)}
    if not source:
        return {joint: turned[:, here.joints["pelvis"]] for joint in target}
    chain = [here.joints["pelvis"], *source]
    heights = _heights(here, chain)
    found = {}
    for joint, height in zip(target, _heights(there, [there.joints["pelvis"], *target])[1:], strict=True):
        upper = min(int(torch.searchsorted(heights, height, right=True)), len(chain) - 1)
        low, high = heights[upper - 1], heights[upper]
        share = float(((height - low) / (high - low).clamp_min(1e-9)).clamp(0, 1))
        found[joint] = between(turned[:, chain[upper - 1]], turned[:, chain[upper]], share)
    return found


def _heights(human: _Human, chain: list[int]) -> Tensor:
    """How far along a chain its joints are, from 0 to 1."""
    steps = (human.places[chain[1:]] - human.places[chain[:-1]]).norm(dim=1)
    along = torch.cat([torch.zeros(1).to(steps), steps.cumsum(0)])
    return along / along[-1].clamp_min(1e-9)
