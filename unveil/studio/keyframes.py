"""Poses at times, and the motion between them."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from unveil.body.body_motion import BodyMotion
from unveil.body.motion import between
from unveil.core.errors import ConfigError
from unveil.studio.actors import Actor, Keyframe

LATEST = 600.0
"""Seconds that a sequence of keyframes may take."""
_SAME = 1e-6


def with_keyframe(actor: Actor, seconds: float) -> Actor:
    """The body with its present pose kept for a time; one of the same time is replaced.

    Raises:
        ConfigError: the time cannot be.
    """
    others = [key for key in actor.keyframes if abs(key.seconds - seconds) > _SAME]
    key = Keyframe(float(seconds), actor.pose.rotations[0], actor.pose.pelvis[0])
    return replace(actor, keyframes=check_keyframes([*others, key]))


def check_keyframes(keyframes: Iterable[Keyframe]) -> tuple[Keyframe, ...]:
    """Keyframes by their time.

    Raises:
        ConfigError: a time cannot be, or two are one.
    """
    found = tuple(sorted(keyframes, key=lambda each: each.seconds))
    for key in found:
        if not 0 <= key.seconds <= LATEST:
            raise ConfigError(f"A keyframe is at {key.seconds} s; it must be from 0 to {LATEST:g} s.")
    for key, following in pairwise(found):
        if following.seconds - key.seconds <= _SAME:
            raise ConfigError(f"Two keyframes are at {key.seconds:g} s; keep one.")
    return found


def without_keyframe(actor: Actor, seconds: float) -> Actor:
    """The body without the keyframe of a time."""
    left = tuple(key for key in actor.keyframes if abs(key.seconds - seconds) > _SAME)
    if len(left) == len(actor.keyframes):
        raise ConfigError(f"There is no keyframe at {seconds:g} s.")
    return replace(actor, keyframes=left)


def pose_between(keyframes: Sequence[Keyframe], seconds: float) -> tuple[Tensor, Tensor]:
    """Rotations (24, 3, 3) and the pelvis (3,) at a time.

    Rotations go the shortest way from one keyframe to the next, slowly at either end; before the first and after the last
    one the pose stays.
    """
    if not keyframes:
        raise ConfigError("There are no keyframes; store one first.")
    after = bisect_right([key.seconds for key in keyframes], seconds)
    if after == 0 or after == len(keyframes):
        key = keyframes[min(after, len(keyframes) - 1)]
        return key.rotations, key.pelvis
    start, end = keyframes[after - 1], keyframes[after]
    share = (seconds - start.seconds) / (end.seconds - start.seconds)
    if share <= 0:
        return start.rotations, start.pelvis
    share = share * share * (3 - 2 * share)
    return between(start.rotations, end.rotations, share), torch.lerp(start.pelvis, end.pelvis, share)


def motion_of(actor: Actor, fps: float = 30.0) -> BodyMotion:
    """What the body does: the way through its keyframes, or its motion, or its one pose."""
    if len(actor.keyframes) > 1:
        first, last = actor.keyframes[0].seconds, actor.keyframes[-1].seconds
        count = round((last - first) * fps) + 1
        poses = [pose_between(actor.keyframes, min(first + i / fps, last)) for i in range(count)]
        rotations, pelvis = (torch.stack(parts) for parts in zip(*poses, strict=True))
        return BodyMotion(rotations, pelvis, actor.betas, actor.gender, fps)
    if actor.motion is not None:
        return replace(actor.motion, shape=actor.betas, gender=actor.gender)
    return BodyMotion(actor.pose.rotations, actor.pose.pelvis, actor.betas, actor.gender, fps)
