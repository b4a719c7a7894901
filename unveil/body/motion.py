"""Poses of a skeleton, one after another."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unveil.body.kinematics import local_rotations
from unveil.body.skeleton import Skeleton
from unveil.core.errors import ConfigError, ShapeError
from unveil.geometry import matrix_to_quaternion, quaternion_to_matrix, slerp


@dataclass(frozen=True, eq=False)
class Motion:
    """A skeleton in motion.

    Args:
        skeleton: whose motion it is.
        rot: local rotations, (T, J, 3, 3).
        root: where the first joint is, (T, 3), metres.
        fps: frames per second.
        offsets: places in the parents' frames, (T, J, 3), if bones change their length; the first joint's is not read.
    """

    skeleton: Skeleton
    rot: Tensor
    root: Tensor
    fps: float = 30.0
    offsets: Tensor | None = None

    def __post_init__(self) -> None:
        frames, joints = len(self.rot), len(self.skeleton)
        if self.rot.shape != (frames, joints, 3, 3) or self.root.shape != (frames, 3):
            raise ShapeError(
                f"A motion of {joints} joints got rotations {tuple(self.rot.shape)} and roots {tuple(self.root.shape)}; it "
                f"needs (T, {joints}, 3, 3) and (T, 3)."
            )
        if self.offsets is not None and self.offsets.shape != (frames, joints, 3):
            raise ShapeError(f"offsets are {tuple(self.offsets.shape)}; they must be {(frames, joints, 3)}.")
        if not 0 < self.fps < float("inf"):
            raise ConfigError(f"fps is {self.fps}; it must be a positive number of frames per second.")

    def __len__(self) -> int:
        return len(self.rot)

    def __getitem__(self, frames: slice) -> "Motion":
        """Some of the frames; a step leaves frames out, and the motion keeps its speed."""
        offsets = None if self.offsets is None else self.offsets[frames]
        fps = self.fps / abs(frames.step or 1)
        return replace(self, rot=self.rot[frames], root=self.root[frames], offsets=offsets, fps=fps)

    @property
    def seconds(self) -> float:
        """How long it takes from the first frame to the last."""
        return max(len(self) - 1, 0) / self.fps

    def world(self) -> tuple[Tensor, Tensor]:
        """World rotations (T, J, 3, 3) and positions (T, J, 3)."""
        return self.skeleton.place(self.rot, self.root, self.offsets)

    def resampled(self, fps: float) -> "Motion":
        """The same motion at another number of frames per second; between frames rotations go the shortest way."""
        if not 0 < fps < float("inf"):
            raise ConfigError(f"fps is {fps}; it must be a positive number of frames per second.")
        low, share = frame_times(len(self), self.fps, fps)
        high = (low + 1).clamp_max(len(self) - 1)
        rot = between(self.rot[low], self.rot[high], share[:, None])
        root = torch.lerp(self.root[low], self.root[high], share[:, None].to(self.root))
        offsets = self.offsets
        if offsets is not None:
            offsets = torch.lerp(offsets[low], offsets[high], share[:, None, None].to(offsets))
        return replace(self, rot=rot, root=root, fps=fps, offsets=offsets)

    def aligned(self) -> "Motion":
        """The same motion of the skeleton whose frames lie along the axes of the world in bind pose."""
        skeleton = self.skeleton.aligned()
        world, positions = self.world()
        turned = world @ self.skeleton.rotations.transpose(-1, -2)
        offsets = self.offsets
        if offsets is not None:
            above = [max(parent, 0) for parent in skeleton.parents]
            offsets = (turned[:, above].transpose(-1, -2) @ (positions - positions[:, above])[..., None]).squeeze(-1)
        return Motion(skeleton, local_rotations(turned, skeleton.parents), self.root, self.fps, offsets)


def frame_times(frames: int, fps: float, new_fps: float) -> tuple[Tensor, Tensor]:
    """For each frame of a new rate the frame before it, (T',) whole numbers, and the share of the way to the next, (T',)."""
    count = int((frames - 1) * new_fps / fps + 1e-6) + 1 if frames else 0
    times = torch.arange(count, dtype=torch.float64) * (fps / new_fps)
    low = (times + 1e-9).floor().long().clamp_max(max(frames - 1, 0))
    return low, (times - low).clamp(0, 1).float()


def between(start: Tensor, end: Tensor, share: Tensor | float) -> Tensor:
    """Rotations a share of the shortest way between others, (..., 3, 3)."""
    return quaternion_to_matrix(slerp(matrix_to_quaternion(start), matrix_to_quaternion(end), share))
