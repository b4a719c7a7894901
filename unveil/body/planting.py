"""Feet that stand still while they carry, on a skeleton that was given another's motion."""

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from unveil.body.kinematics import local_rotations
from unveil.body.motion import Motion
from unveil.geometry import axis_angle_to_matrix, shortest_rotation

_SPEED = 0.35  # leg lengths in a second below which a foot stands
_HEIGHT = 0.08  # leg lengths above its lowest
_SHORTEST = 0.05  # seconds that a foot stands at least
_STRETCH = 0.9995  # of a leg's length that it is stretched to
_DEEPEST = 0.1  # metres that the pelvis comes down
_BLEND = 0.15  # seconds in which a foot goes from where it was moved to where it would be


def standing(motion: Motion, joints: Mapping[str, int], side: str, leg: float) -> Tensor:
    """In which frames a foot stands: it is low, and hardly moves.

    Args:
        motion: of a skeleton.
        joints: the skeleton's numbers of a body's joints.
        side: "left" or "right".
        leg: length of a leg, metres.

    Returns:
        (T,) of truth values; shorter stands than a twentieth of a second are none.
    """
    own = [joints[f"{side}_{name}"] for name in ("ankle", "foot") if f"{side}_{name}" in joints]
    place = motion.world()[1][:, own].mean(1)
    if len(place) < 2:
        return torch.zeros(len(place), dtype=torch.bool)
    step = (place[1:] - place[:-1]).norm(dim=1) * motion.fps
    step = torch.cat([step[:1], step])
    still = (step < _SPEED * leg) & (place[:, 1] < place[:, 1].amin() + _HEIGHT * leg)
    for start, end in _runs(still):
        if end - start < _SHORTEST * motion.fps:
            still[start:end] = False
    return still


def keep_feet(
    moved: Motion, joints: Mapping[str, int], motion: Motion, source_joints: Mapping[str, int], leg: float
) -> Motion:
    """Hold the ankles of a motion wherever those of another stand still, by bending the legs and lowering the pelvis a little.

    Args:
        moved: what to mend.
        joints: its skeleton's numbers of a body's joints.
        motion: the motion it was made from, of as many frames.
        source_joints: the same of that motion's skeleton.
        leg: length of a leg there, metres.
    """
    sides = ("left", "right")
    chains = [[joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle")] for side in sides]
    places = moved.world()[1]
    goals = []
    for side, (_, _, ankle) in zip(sides, chains, strict=True):
        goals.append(places[:, ankle] + _shift(places[:, ankle], standing(motion, source_joints, side, leg), moved.fps))
    drop = torch.stack([_out_of_reach(places[:, chain], goal) for chain, goal in zip(chains, goals, strict=True)]).amax(
        0
    )
    lower = torch.zeros_like(moved.root)
    lower[:, 1] = -_smoothed(drop, round(_BLEND * moved.fps))
    moved = replace(moved, root=moved.root + lower)
    for chain, goal in zip(chains, goals, strict=True):
        world, places = moved.world()
        if (goal - places[:, chain[2]]).any():
            turned = _bent(moved, world, places[:, chain], chain, goal)
            moved = replace(moved, rot=local_rotations(turned, moved.skeleton.parents))
    return moved


def _out_of_reach(places: Tensor, goal: Tensor) -> Tensor:
    """How far a hip must come down for its leg to reach the goal, (T,); not at all if it reaches, or never can."""
    hip, knee, ankle = places.unbind(1)
    length = _STRETCH * ((knee - hip).norm(dim=1) + (ankle - knee).norm(dim=1))
    length = torch.maximum(length, (ankle - hip).norm(dim=1))  # as straight as it was is no harm
    away = hip - goal
    beside = away[:, [0, 2]].square().sum(1)
    height = (length.square() - beside).clamp_min(0).sqrt()
    drop = (away[:, 1] - height).clamp(0, _DEEPEST)
    return torch.where((goal == ankle).all(1), torch.zeros_like(drop), drop)


def _smoothed(values: Tensor, frames: int) -> Tensor:
    """Values over time that nowhere are smaller, without jumps, (T,)."""
    if frames < 1 or not values.any():
        return values
    highest = F.max_pool1d(F.pad(values[None], (frames, frames), mode="replicate"), 2 * frames + 1, 1)
    return F.avg_pool1d(F.pad(highest, (frames, frames), mode="replicate"), 2 * frames + 1, 1)[0]


def _runs(truth: Tensor) -> list[tuple[int, int]]:
    """First and last-but-one frames of what holds."""
    edges = torch.diff(truth.int(), prepend=truth.new_zeros(1).int(), append=truth.new_zeros(1).int())
    return list(zip((edges == 1).nonzero().flatten().tolist(), (edges == -1).nonzero().flatten().tolist(), strict=True))


def _shift(ankle: Tensor, still: Tensor, fps: float) -> Tensor:
    """How far the ankle must go in each frame, (T, 3): to the middle of each stand, and smoothly to nothing around it."""
    frames = torch.arange(len(ankle))
    total, weights = torch.zeros_like(ankle), torch.zeros(len(ankle), 1)
    for start, end in _runs(still):
        wanted = ankle[start:end].mean(0) - ankle  # of the nearest frame of the stand
        wanted = wanted[frames.clamp(start, end - 1)]
        away = torch.maximum(start - frames, frames - (end - 1)).clamp_min(0) / (_BLEND * fps)
        share = (1 - away).clamp_min(0)[:, None]
        share = share * share * (3 - 2 * share)
        share[still & ((frames < start) | (frames >= end))] = 0  # another stand's frames are its own
        total, weights = total + share * wanted, weights + share
    return total / weights.clamp_min(1)


def _bent(moved: Motion, world: Tensor, places: Tensor, chain: list[int], goal: Tensor) -> Tensor:
    """World rotations with a leg's hip and knee turned so that the ankle is at the goal, and the foot as it was."""
    hip, knee, ankle = places.unbind(1)
    thigh, shin = (knee - hip).norm(dim=1), (ankle - knee).norm(dim=1)
    far = (goal - hip).norm(dim=1).clamp((thigh - shin).abs() + 1e-4)
    far = torch.minimum(far, torch.maximum((thigh + shin) * _STRETCH, (ankle - hip).norm(dim=1)))
    across = torch.linalg.cross(knee - hip, ankle - knee, dim=1)
    # A straight leg bends forwards: about the left of the skeleton as its hip lies now.
    aside = world[:, chain[0]] @ moved.skeleton.rotations[chain[0]].T @ world.new_tensor([1.0, 0.0, 0.0])
    axis = torch.where(across.norm(dim=1, keepdim=True) > 1e-3 * (thigh * shin)[:, None], across, aside)
    axis = F.normalize(axis, dim=1)
    now, then = (_inner(thigh, shin, length) for length in ((ankle - hip).norm(dim=1), far))
    bend = axis_angle_to_matrix(axis * (now - then)[:, None])
    reached = knee + (bend @ (ankle - knee)[..., None]).squeeze(-1)
    swing = shortest_rotation(reached - hip, goal - hip)
    changes: dict[int, Tensor] = {}
    found = world.clone()
    for joint, parent in enumerate(moved.skeleton.parents):
        if joint == chain[0]:
            changes[joint] = swing
        elif joint == chain[1]:
            changes[joint] = swing @ bend
        elif joint != chain[2] and parent in changes:
            changes[joint] = changes[parent]
        if joint in changes:
            found[:, joint] = changes[joint] @ world[:, joint]
    return found


def _inner(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The angle between sides a and b of a triangle whose third side is c."""
    return torch.acos(((a * a + b * b - c * c) / (2 * a * b)).clamp(-1, 1))
