"""Motions that do what effectors ask of each of their frames, and stay smooth."""

import torch
from torch import Tensor

from unveil.body.effector_lists import CLOSEST
from unveil.body.effectors import LOOK_AT, POSITION, ROTATION, Effectors, Pose
from unveil.body.joints import JOINTS
from unveil.body.limits import LIMITS, pose_to_angles
from unveil.body.parametric import Body
from unveil.body.refinement import METRE, TURN, Refined, reached
from unveil.body.residuals import effector_residuals
from unveil.core.errors import ShapeError
from unveil.core.numbers import check_amount, check_whole
from unveil.geometry import axis_angle_to_matrix, matrix_from_6d

_STAY, _LIMIT, _FLOOR = 1e-4, 0.1, 1.0
_SCALE = 100.0  # of the objective, so that its gradient is not taken for nothing


def refine_sequence(
    body: Body,
    pose: Pose,
    effectors: Effectors,
    steps: int = 50,
    *,
    smooth: float = 0.1,
    limits: bool = True,
    floor: float | None = None,
) -> Refined:
    """Move the poses of a motion until each does what its effectors ask, without making it tremble.

    All frames are found together by L-BFGS. What is made small is the sum of squares of what is left undone, how much the
    joints' way through time bends more than it did, what is outside the limits of the joints, and what is below the floor;
    so the effectors are met to millimetres only. `refine` meets those of single poses exactly.

    Args:
        body: whose joints they are.
        pose: where to start, T poses one after another.
        effectors: what is asked of each frame, (T, N).
        steps: iterations of L-BFGS.
        smooth: how much trembling counts; with 0 the frames know nothing of each other.
        limits: whether what is outside the limits of a human's joints counts.
        floor: height below which no joint should be, metres; without it there is none.

    Raises:
        ShapeError: poses and effectors are not as many.
        ConfigError: a number of the poses cannot be.

    Source: Liu and Nocedal (1989), On the limited memory BFGS method for large scale optimization.
    """
    check_whole("steps", steps, least=0)
    check_amount("smooth", smooth)
    if len(pose) != len(effectors):
        raise ShapeError(
            f"{len(pose)} poses got effectors for {len(effectors)}; give one row of effectors for each pose."
        )
    pose = pose.checked()
    turns = torch.zeros(len(pose), len(JOINTS), 3, dtype=pose.rotations.dtype, device=pose.rotations.device)
    shift = torch.zeros_like(pose.pelvis)
    before = pose.joints(body)[0]
    with torch.enable_grad():
        unknown = [turns.requires_grad_(), shift.requires_grad_()]
        search = torch.optim.LBFGS(unknown, max_iter=max(steps, 1), history_size=20, line_search_fn="strong_wolfe")

        def objective() -> Tensor:
            search.zero_grad()
            moved = _moved(pose, turns, shift)
            places, rot = moved.joints(body)
            loss = _undone(effectors, places, rot) + _STAY * (turns.square().sum() + shift.square().sum())
            if smooth and len(pose) > 2:
                loss = loss + smooth * (_bends(places) - _bends(before)).square().sum()
            if limits:
                angles, bounds = pose_to_angles(moved.rotations[:, 1:]), LIMITS[1:].to(places)
                outside = (bounds[..., 0] - angles).clamp_min(0) + (angles - bounds[..., 1]).clamp_min(0)
                loss = loss + _LIMIT * outside.square().sum()
            if floor is not None:
                loss = loss + _FLOOR * (floor - places[..., 1]).clamp_min(0).square().sum()
            (_SCALE * loss).backward()
            return _SCALE * loss.detach()

        if steps and len(pose):
            search.step(objective)
    found = _moved(pose, turns.detach(), shift.detach())
    residuals = effector_residuals(effectors, *found.joints(body))
    return Refined(found, residuals, reached(effectors, residuals))


def _moved(pose: Pose, turns: Tensor, shift: Tensor) -> Pose:
    return Pose(pose.rotations @ axis_angle_to_matrix(turns), pose.pelvis + shift, pose.betas, pose.gender)


def _bends(places: Tensor) -> Tensor:
    """How the way of the joints bends from frame to frame, (T - 2, 24, 3)."""
    return places[2:] - 2 * places[1:-1] + places[:-2]


def _undone(effectors: Effectors, places: Tensor, rot: Tensor) -> Tensor:
    """What is left undone, weighted as `refine` does, in squares that have a slope everywhere but at half a turn."""
    row = torch.arange(len(effectors), device=places.device)[:, None]
    turn, away = rot[row, effectors.joint], effectors.data[..., :3] - places[row, effectors.joint]
    aim = (turn @ effectors.data[..., 3:, None]).squeeze(-1)
    ahead = away / away.norm(dim=-1, keepdim=True).clamp_min(CLOSEST)
    squares = torch.where(effectors.kind == POSITION, away.square().sum(-1), torch.zeros_like(effectors.weight))
    # The squared length of a difference of rotations is twice the squared angle, if it is small.
    turned = (turn - matrix_from_6d(effectors.data)).square().sum((-1, -2)) / 2
    squares = torch.where(effectors.kind == ROTATION, turned, squares)
    squares = torch.where(effectors.kind == LOOK_AT, (aim - ahead).square().sum(-1), squares)
    loose = effectors.tolerance / METRE
    scale = torch.where(effectors.kind == POSITION, 1 / (1 + loose), TURN / (1 + TURN * loose))
    return (effectors.weight * scale.square() * squares).sum()
