"""Motions at random: walks, and ways between poses, with a foot on the floor."""

from typing import Literal

import torch
from torch import Tensor

from unveil.body.body_motion import BodyMotion
from unveil.body.joints import GENDERS, JOINTS, find_gender
from unveil.body.limits import angles_to_pose, clamp_pose
from unveil.body.motion import between
from unveil.body.parametric import Body
from unveil.body.random_poses import gait, random_keys
from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness, Streams
from unveil.geometry import axis_angle_to_matrix

Kind = Literal["walk", "poses"]
_WALKS = 0.4  # share of motions whose kind was not named
_BLOCK = 64  # frames whose skin is looked at together
_FEET = [[JOINTS.index(f"{side}_{name}") for name in ("ankle", "foot")] for side in ("left", "right")]


def random_motion(
    body: Body,
    frames: int = 120,
    *,
    kind: Kind | None = None,
    fps: float = 30.0,
    shape: Tensor | None = None,
    gender: str | int | None = None,
    generator: Randomness = None,
) -> BodyMotion:
    """Draw a motion that keeps within the limits of the joints.

    The lower foot stays where it is, and the lowest point of the skin is on the floor, y = 0.

    Args:
        body: who moves.
        frames: how many.
        kind: "walk", or "poses" that follow one another every second or so; without it either.
        fps: frames per second.
        shape: (10,); without it drawn from N(0, 1), up to 4.
        gender: of the body; without it drawn from those that the body has.
        generator: where all is drawn from; one stream.
    """
    check_whole("frames", frames)
    if kind not in (None, "walk", "poses"):
        raise ConfigError(f"kind is '{kind}'; it must be 'walk' or 'poses'.")
    if not 0 < fps < float("inf"):
        raise ConfigError(f"fps is {fps}; it must be a positive number of frames per second.")
    streams = Streams.of(generator, 1)
    u = streams.rand((1, 4))[0].tolist()
    drawn = streams.randn((1, 10))[0].clamp(-4, 4)
    shape = drawn if shape is None else shape
    name = body.genders[int(u[0] * len(body.genders))] if gender is None else GENDERS[find_gender(gender)]
    kind = kind or ("walk" if u[1] < _WALKS else "poses")
    pose = _walk(streams, frames, fps) if kind == "walk" else _poses(streams, frames, fps)
    facing = torch.tensor([0.0, 2 * torch.pi * u[2], 0.0])
    pose = clamp_pose(pose)
    pose[:, 0] = axis_angle_to_matrix(facing) @ pose[:, 0]
    return BodyMotion(pose, plant_feet(body, pose, shape, name), shape, name, fps)


def plant_feet(body: Body, pose: Tensor, shape: Tensor | None = None, gender: str | int | None = None) -> Tensor:
    """Where the pelvis must be for the lower foot to stay where it is and the skin to touch the floor, y = 0.

    Args:
        body: who moves.
        pose: local rotations of frames that follow one another, (T, 24, 3, 3).
        shape: (10,).
        gender: of the body.

    Returns:
        (T, 3); the first frame is above the origin.
    """
    lowest, places = [], []
    for block in pose.split(_BLOCK):
        placed = body(block, shape, gender, pelvis=torch.zeros(3))
        lowest.append(placed.vertices[..., 1].amin(1))
        places.append(placed.joints)
    joints = torch.cat(places)
    feet = torch.stack([joints[:, foot].mean(1) for foot in _FEET], 1)  # (T, 2, 3)
    steps = feet[:-1] - feet[1:]  # how far the pelvis goes if a foot stays
    lower = (feet[:-1, :, 1] + feet[1:, :, 1]).argmin(1)
    taken = steps[torch.arange(len(steps)), lower]
    pelvis = torch.cat([torch.zeros(1, 3), taken.cumsum(0)])
    pelvis[:, 1] = -torch.cat(lowest)
    return pelvis


def _walk(streams: Streams, frames: int, fps: float) -> Tensor:
    u = streams.rand((1, 3))[0]
    amplitude = 0.5 + 0.7 * u[0]
    strides = 0.55 + 0.45 * amplitude  # in a second
    phase = 2 * torch.pi * (u[1] + strides * torch.arange(frames) / fps)
    pose = angles_to_pose(gait(phase, amplitude.expand(frames)))
    # The hips turn with the leg in front, the chest against them, and the way bends a little.
    sway = 0.10 * amplitude * phase.cos()
    bend = (u[2] - 0.5) * torch.arange(frames) / fps
    zero = torch.zeros(frames)
    pose[:, 0] = axis_angle_to_matrix(torch.stack([zero + 0.04 * amplitude, bend - sway, zero], 1))
    for name, share in (("spine1", 0.6), ("spine2", 0.6), ("spine3", 0.4)):
        pose[:, JOINTS.index(name)] = axis_angle_to_matrix(torch.stack([zero, share * sway, zero], 1))
    return pose


def _poses(streams: Streams, frames: int, fps: float) -> Tensor:
    most = int(frames / fps / 0.8) + 2
    seconds = 0.8 + 0.9 * streams.rand((1, most))[0]
    keys = torch.cat([angles_to_pose(random_keys(1, streams)) for _ in range(most)])
    ends = torch.cat([torch.zeros(1), seconds.cumsum(0)])
    times = torch.arange(frames) / fps
    low = (torch.searchsorted(ends, times, right=True) - 1).clamp(0, most - 2)
    share = (times - ends[low]) / seconds[low]
    smooth = (share * share * (3 - 2 * share)).clamp(0, 1)
    return between(keys[low], keys[low + 1], smooth[:, None])
