"""Poses of a parametric body, one after another."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unveil.body.joints import GENDERS, JOINTS
from unveil.body.motion import Motion, between, frame_times
from unveil.body.parametric import Body, PosedBody
from unveil.core.errors import ConfigError, ShapeError
from unveil.geometry import check_rotations


@dataclass(frozen=True, eq=False)
class BodyMotion:
    """A body of one shape in motion.

    Args:
        pose: local rotations, (T, 24, 3, 3).
        pelvis: where the first joint is, (T, 3), metres; not how far the body was moved.
        shape: (10,).
        gender: male, female or neutral.
        fps: frames per second.
    """

    pose: Tensor
    pelvis: Tensor
    shape: Tensor
    gender: str = "neutral"
    fps: float = 30.0

    def __post_init__(self) -> None:
        frames = len(self.pose)
        if (
            self.pose.shape != (frames, len(JOINTS), 3, 3)
            or self.pelvis.shape != (frames, 3)
            or self.shape.shape != (10,)
        ):
            raise ShapeError(
                f"A body's motion got a pose {tuple(self.pose.shape)}, a pelvis {tuple(self.pelvis.shape)} and a shape "
                f"{tuple(self.shape.shape)}; it needs (T, 24, 3, 3), (T, 3) and (10,)."
            )
        if self.gender not in GENDERS:
            raise ConfigError(f"gender is '{self.gender}'; it must be {', '.join(GENDERS)}.")
        if not 0 < self.fps < float("inf"):
            raise ConfigError(f"fps is {self.fps}; it must be a positive number of frames per second.")
        if not torch.isfinite(self.pelvis).all() or not torch.isfinite(self.shape).all():
            raise ConfigError("The pelvis or the shape of a body's motion holds numbers that are not finite.")
        object.__setattr__(self, "pose", check_rotations(self.pose, "The rotations of a body's motion"))

    def __len__(self) -> int:
        return len(self.pose)

    def __getitem__(self, frames: slice) -> "BodyMotion":
        """Some of the frames; a step leaves frames out, and the motion keeps its speed."""
        return replace(self, pose=self.pose[frames], pelvis=self.pelvis[frames], fps=self.fps / abs(frames.step or 1))

    def resampled(self, fps: float) -> "BodyMotion":
        """The same motion at another number of frames per second; between frames rotations go the shortest way."""
        if not 0 < fps < float("inf"):
            raise ConfigError(f"fps is {fps}; it must be a positive number of frames per second.")
        low, share = frame_times(len(self), self.fps, fps)
        high = (low + 1).clamp_max(len(self) - 1)
        pose = between(self.pose[low], self.pose[high], share[:, None].to(self.pose))
        pelvis = torch.lerp(self.pelvis[low], self.pelvis[high], share[:, None].to(self.pelvis))
        return replace(self, pose=pose, pelvis=pelvis, fps=fps)

    def posed(self, body: Body) -> PosedBody:
        """Joints and skin of all frames."""
        return body(self.pose, self.shape, self.gender, pelvis=self.pelvis)

    def motion(self, body: Body, scale: float = 1.0) -> Motion:
        """The motion of the body's skeleton, for files that know skeletons only; so many times its own size."""
        skeleton = body.skeleton(self.shape, self.gender).scaled(scale)
        return Motion(skeleton, self.pose, scale * self.pelvis, self.fps)
