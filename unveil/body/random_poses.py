"""Bodies and poses at random, within the limits of human joints: data where there is none."""

from typing import NamedTuple

import torch
from torch import Tensor

from unveil.body.joints import GENDERS, JOINTS
from unveil.body.key_poses import key_poses
from unveil.body.limits import LIMITS, angles_to_pose, clamp_angles, mirror_angles
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness, Streams
from unveil.geometry import euler_to_matrix

_GAIT, _WITHIN_LIMITS, _LYING = 0.20, 0.12, 0.08  # shares of all poses
_LERP = 0.7  # share of halves that lie between two key poses
_LOWER = [j for j, name in enumerate(JOINTS) if name == "pelvis" or name.endswith(("hip", "knee", "ankle", "foot"))]


class RandomBodies(NamedTuple):
    """Poses, each of a body of its own.

    Attributes:
        pose: local rotations, (B, 24, 3, 3).
        shape: (B, 10).
        gender: numbers, (B,).
    """

    pose: Tensor
    shape: Tensor
    gender: Tensor


def random_bodies(n: int, generator: Randomness = None) -> RandomBodies:
    """Draw poses, shapes from N(0, 1) up to 4, and genders, each as often."""
    streams = _streams(n, generator)
    pose = random_poses(n, streams)
    shape = streams.randn((n, 10)).clamp(-4, 4)
    return RandomBodies(pose, shape, (streams.rand((n,)) * len(GENDERS)).long())


def random_poses(n: int, generator: Randomness = None) -> Tensor:
    """Draw poses: steps of a walk, angles anywhere within the limits, and mixtures of key poses, with some noise.

    A body faces anywhere, stands a little askew, and lies now and then.

    Args:
        n: how many.
        generator: where they are drawn from.

    Returns:
        Local rotations, (n, 24, 3, 3).
    """
    streams = _streams(n, generator)
    u = streams.rand((n, 8))
    angles = _blended(streams, n)
    angles = torch.where((u[:, 0] < _GAIT)[:, None, None], gait(2 * torch.pi * u[:, 1], 0.3 + 0.9 * u[:, 2]), angles)
    angles = _disturbed(angles, 0.2 + 1.3 * u[:, 3], streams.randn((n, len(JOINTS), 3)))
    low, high = LIMITS[..., 0], LIMITS[..., 1]
    anywhere = low + (high - low) * (0.5 + 0.5 * torch.tanh(0.55 * streams.randn((n, len(JOINTS), 3))))
    anywhere[:, 0] = 0
    free = (u[:, 0] >= _GAIT) & (u[:, 0] < _GAIT + _WITHIN_LIMITS)
    angles = torch.where(free[:, None, None], anywhere, angles)
    angles = torch.where((u[:, 4] < 0.5)[:, None, None], mirror_angles(angles), angles)
    pose = angles_to_pose(clamp_angles(angles))
    tilt = 0.12 * streams.randn((n, 2))
    lying = torch.where(u[:, 5] < _LYING, torch.where(u[:, 6] < 0.5, -torch.pi / 2, torch.pi / 2), 0.0)
    turn = euler_to_matrix(torch.stack([2 * torch.pi * u[:, 7], tilt[:, 0] + lying, tilt[:, 1]], 1), "YXZ")
    pose[:, 0] = turn @ pose[:, 0]
    return pose


def random_keys(n: int, generator: Randomness = None) -> Tensor:
    """Draw disturbed mixtures of key poses, as angles within the limits, (n, 24, 3)."""
    streams = _streams(n, generator)
    u = streams.rand((n, 2))
    angles = _disturbed(_blended(streams, n), 0.2 + 0.6 * u[:, 0], streams.randn((n, len(JOINTS), 3)))
    return clamp_angles(torch.where((u[:, 1] < 0.5)[:, None, None], mirror_angles(angles), angles))


def gait(phase: Tensor, amplitude: Tensor) -> Tensor:
    """A moment of a walk.

    Args:
        phase: radians, (B,); 0 is the left leg in front.
        amplitude: length of the steps, (B,), 0.3 to 1.2.

    Returns:
        Angles about x, y and z, (B, 24, 3).
    """
    angles = torch.zeros(len(phase), len(JOINTS), 3)
    for side, sign, p in (("left", 1.0, phase), ("right", -1.0, phase + torch.pi)):

        def put(name: str, axis: int, value: Tensor, side: str = side) -> None:
            angles[:, JOINTS.index(f"{side}_{name}"), axis] = value

        put("hip", 0, amplitude * (-0.42 * p.cos() - 0.08))
        put("knee", 0, amplitude * (0.35 + 0.55 * (-(p - 0.4).sin()).clamp_min(0)))
        put("ankle", 0, 0.15 * amplitude * p.sin())
        put("shoulder", 1, sign * 0.45 * amplitude * p.cos())
        put("shoulder", 2, torch.full_like(p, -1.22 * sign))
        put("elbow", 1, -sign * (0.2 + 0.3 * amplitude))
    return angles


def _streams(n: int, generator: Randomness) -> Streams:
    check_whole("The number of poses", n)
    return Streams.of(generator, n)


def _blended(streams: Streams, n: int) -> Tensor:
    """Upper and lower body each a key pose, or between two: (n, 24, 3)."""
    keys = torch.stack(list(key_poses().values()))
    halves = []
    for _ in range(2):
        u = streams.rand((n, 4))
        first, second = ((u[:, i] * len(keys)).long() for i in (0, 1))
        share = torch.where(u[:, 2] < _LERP, u[:, 3], 0.0)
        halves.append(torch.lerp(keys[first], keys[second], share[:, None, None]))
    upper, lower = halves
    upper[:, _LOWER] = lower[:, _LOWER]
    return upper


def _disturbed(angles: Tensor, strength: Tensor, noise: Tensor) -> Tensor:
    span = 0.10 * (LIMITS[..., 1] - LIMITS[..., 0])
    span[0] = 0  # where the body faces is drawn apart
    return angles + strength[:, None, None] * span * noise
