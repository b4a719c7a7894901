"""The few effectors that give a whole pose again, so that it can be changed by hand."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unveil.body.effectors import LOOK_AT, POSITION, ROTATION, Effectors, Pose, PoseSolver
from unveil.body.joint_maps import JointMap
from unveil.body.joints import JOINTS
from unveil.body.motion import Motion
from unveil.body.parametric import Body
from unveil.body.retargeting import retarget
from unveil.body.skeleton import Skeleton
from unveil.core.errors import ConfigError
from unveil.core.numbers import check_amount, check_whole

Handle = tuple[int, int]
"""What kind of effector, and at which joint."""

CANDIDATES: tuple[Handle, ...] = (
    *((POSITION, joint) for joint in range(len(JOINTS))),
    *((ROTATION, joint) for joint in range(len(JOINTS))),
    (LOOK_AT, JOINTS.index("head")),
)
"""Every effector that may be chosen unless told: 24 positions, 24 rotations, and where the head looks."""


class Recovered(NamedTuple):
    """Effectors of a pose, the most telling first.

    Attributes:
        effectors: of the one pose, (1, N), those that were pinned before the others.
        pose: what the solver makes of them.
        errors: the mean error of the joints with the first effectors, one more each time, metres; it never grows. Pinned
            ones count as one.
    """

    effectors: Effectors
    pose: Pose
    errors: tuple[float, ...]


@torch.no_grad()
def recover_effectors(
    solver: PoseSolver,
    body: Body,
    pose: Pose,
    *,
    most: int = 8,
    tolerance: float = 0.010,
    candidates: Sequence[Handle] = CANDIDATES,
    pinned: Sequence[Handle] = (),
    character: Skeleton | None = None,
    character_map: JointMap | None = None,
) -> Recovered:
    """Choose effectors one by one, each time the one with which the solver comes nearest to the pose.

    All that may be chosen next are tried at once. It ends when there are enough, when the pose is near enough, or when none of
    them brings it nearer.

    Args:
        solver: makes poses of effectors.
        body: whose pose it is.
        pose: one pose.
        most: effectors at most, pinned ones included.
        tolerance: mean error of the joints that is near enough, metres.
        candidates: what may be chosen.
        pinned: what is there from the beginning.
        character: a skeleton that both poses are given to before they are compared; without it the body itself.
        character_map: which of its joints are a human's; found by names and tree unless given.

    Raises:
        ConfigError: more poses than one, an effector that is none, or no position among all that may be chosen.

    Source: Voleti et al. (2022), arXiv:2208.08274, section 3.4.
    """
    check_whole("most", most)
    check_amount("tolerance", tolerance)
    if len(pose) != 1:
        raise ConfigError(f"Effectors of {len(pose)} poses were asked for; give one pose at a time.")
    chosen, left = list(dict.fromkeys(pinned)), [each for each in dict.fromkeys(candidates) if each not in pinned]
    _check(chosen, left, most)
    pose = pose.checked()
    positions, rotations = pose.joints(body)
    target = _places(body, pose, character, character_map)

    def tried(sets: Sequence[Sequence[Handle]]) -> tuple[Pose, Tensor]:
        kind, joint = (
            torch.tensor([[handle[i] for handle in one] for one in sets], device=positions.device) for i in (0, 1)
        )
        many = len(sets)
        effectors = Effectors.of_pose(kind, joint, positions.expand(many, -1, -1), rotations.expand(many, -1, -1, -1))
        found = solver.solve(effectors, pose.betas.expand(many, -1), pose.gender.expand(many))
        return found, (_places(body, found, character, character_map) - target).norm(dim=-1).mean(1)

    best: Pose | None = None
    errors: list[float] = []
    if any(kind == POSITION for kind, _ in chosen):
        best, error = tried([chosen])
        errors.append(float(error))
    while len(chosen) < most and left and not (errors and errors[-1] < tolerance):
        anchored = any(kind == POSITION for kind, _ in chosen)
        possible = [each for each in left if anchored or each[0] == POSITION]
        if not possible:
            break
        found, error = tried([[*chosen, each] for each in possible])
        first = int(error.argmin())
        if errors and not float(error[first]) < errors[-1]:
            break
        chosen.append(possible[first])
        left.remove(possible[first])
        errors.append(float(error[first]))
        best = found[first : first + 1]
    assert best is not None
    kind, joint = (torch.tensor([handle[i] for handle in chosen], device=positions.device) for i in (0, 1))
    return Recovered(Effectors.of_pose(kind, joint, positions, rotations), best, tuple(errors))


def _check(pinned: Sequence[Handle], candidates: Sequence[Handle], most: int) -> None:
    for kind, joint in (*pinned, *candidates):
        if kind not in (POSITION, ROTATION, LOOK_AT) or not 0 <= joint < len(JOINTS):
            raise ConfigError(
                f"({kind}, {joint}) is no effector; give a kind, 0 to 2, and a joint, 0 to {len(JOINTS) - 1}."
            )
    if len(pinned) > most:
        raise ConfigError(f"{len(pinned)} effectors are pinned and {most} are allowed; allow more or pin fewer.")
    free = candidates if len(pinned) < most else ()
    if not any(kind == POSITION for kind, _ in (*pinned, *free)):
        raise ConfigError(
            "No position may be chosen and none is pinned, so nothing would say where the body is. Add one."
        )


def _places(body: Body, pose: Pose, character: Skeleton | None, character_map: JointMap | None) -> Tensor:
    """Where the joints are, of the body or of the character that is given its poses, (B, J, 3)."""
    if character is None:
        return pose.joints(body)[0]
    own = body.skeleton(pose.betas[0], int(pose.gender[0]))
    moved = retarget(Motion(own, pose.rotations.cpu(), pose.pelvis.cpu()), character, target_map=character_map)
    return moved.world()[1].to(pose.pelvis)
