"""Marked points as what they say of a body's joints."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unveil.body.effectors import Pose
from unveil.body.estimation.estimate import Camera
from unveil.body.estimation.keypoints import Keypoints
from unveil.body.estimation.markers import MARKERS
from unveil.body.joints import JOINTS
from unveil.body.parametric import Body
from unveil.core.errors import ConfigError

_NEAR, _FAR = 0.5, 50.0  # metres from the camera
_LEAST = 3
_SMALLEST = 2.0  # pixels that a person is large


def marker_places(body: Body, pose: Pose, names: Sequence[str]) -> Tensor:
    """Where points of posed bodies are, (B, K, 3), metres.

    Args:
        body: whose poses they are.
        pose: of B bodies.
        names: K of `MARKERS`.
    """
    positions, rot = pose.joints(body)
    return _places(positions, rot, *_numbers(names))


def _numbers(names: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
    """Of points: which joints they are the mean of, (K, 24), the first, (K,), and the offset in its frame, (K, 3)."""
    markers = [MARKERS[name] for name in names]
    mean = torch.zeros(len(markers), len(JOINTS))
    for row, marker in enumerate(markers):
        mean[row, list(marker.joints)] = 1 / len(marker.joints)
    first = torch.tensor([marker.joints[0] for marker in markers])
    return mean, first, torch.tensor([marker.offset for marker in markers])


def _places(positions: Tensor, rot: Tensor, mean: Tensor, first: Tensor, offset: Tensor) -> Tensor:
    return mean @ positions + (rot[:, first] @ offset[..., None]).squeeze(-1)


@dataclass(frozen=True, eq=False)
class Marked:
    """What was marked, ready to be compared with bodies.

    Args:
        keypoints: of one person.
        camera: of the picture; None where points are places in space.
        mean: which joints a point is the mean of, (K, 24).
        first: the joint that a point moves with, (K,).
        offset: in that joint's frame, (K, 3).
        trust: (K,).

    Attributes:
        joints: those that a point alone belongs to.
        joint_weight: how far they can be relied on.
    """

    keypoints: Keypoints
    camera: Camera | None
    mean: Tensor
    first: Tensor
    offset: Tensor
    trust: Tensor
    joints: Tensor = field(init=False)
    joint_weight: Tensor = field(init=False)

    @classmethod
    def of(cls, keypoints: Keypoints, camera: Camera | None) -> "Marked":
        """What was marked in the picture of a camera, or in space."""
        trust = torch.tensor([MARKERS[name].trust for name in keypoints.names]) * keypoints.confidence
        return cls(keypoints, camera, *_numbers(keypoints.names), trust)

    def __post_init__(self) -> None:
        alone = (self.mean.amax(1) > 0.99) & (self.trust > 0)
        joints = sorted(set(self.first[alone].tolist()))
        if len(joints) < _LEAST:
            raise ConfigError(
                f"The marked points tell of {len(joints)} joints only; mark {_LEAST} at least: shoulders, hips, elbows, "
                "wrists, knees, ankles."
            )
        if self.keypoints.flat and self.keypoints.extent < _SMALLEST:
            raise ConfigError(
                f"The points lie within {self.keypoints.extent:.2g} pixels of each other. If they are shares of the picture, "
                "multiply x by its width and y by its height."
            )
        weight = [float(self.trust[(self.first == joint) & alone].max()) for joint in joints]
        object.__setattr__(self, "joints", torch.tensor(joints))
        object.__setattr__(self, "joint_weight", torch.tensor(weight))

    def predicted(self, body: Body, pose: Pose) -> tuple[Tensor, Tensor]:
        """Where the marked points of posed bodies are, (B, K, 3), and their joints, (B, 24, 3)."""
        positions, rot = pose.joints(body)
        return _places(positions, rot, self.mean, self.first, self.offset), positions

    def error(self, points: Tensor, unit: Tensor, blunt: float) -> Tensor:
        """The robust error, of what lies within centimetres about the square of decimetres."""
        places = points if self.camera is None else self.camera.project(points)
        square = (places - self.keypoints.points).square().sum(-1) * (unit / blunt) ** 2
        return (self.trust * square / (1 + square)).sum()

    def metres_per_pixel(self, pelvis: Tensor) -> Tensor:
        """How long a pixel is where the body is; 1 where points are metres already."""
        if self.camera is None:
            return torch.ones(())
        return (-pelvis[2]).clamp(_NEAR, _FAR).detach() / self.camera.focal

    def place(self, points: Tensor) -> Tensor:
        """Where the pelvis of a body at the origin, whose points are at (K, 3), has to go to look as large as the person."""
        marked, weight = self.keypoints.points, self.trust / self.trust.sum()
        if self.camera is None:
            return (weight[:, None] * (marked - points)).sum(0)
        middle, own = (weight[:, None] * marked).sum(0), (weight[:, None] * points).sum(0)
        depth = self.camera.focal * self._size(points) / self._size(marked).clamp_min(1.0)
        depth = depth.clamp(_NEAR, _FAR)
        x = (middle[0] - self.camera.centre[0]) * depth / self.camera.focal
        y = -(middle[1] - self.camera.centre[1]) * depth / self.camera.focal
        return torch.stack([x, y, -depth]) - own

    def _size(self, points: Tensor) -> Tensor:
        """The length of the torso, which changes least with the pose; else how far the points are apart."""
        names = self.keypoints.names
        torso = [f"{side}_{part}" for part in ("shoulder", "hip") for side in ("left", "right")]
        if all(name in names and self.trust[names.index(name)] > 0 for name in torso):
            at = [points[names.index(name)] for name in torso]
            return ((at[0] + at[1]) / 2 - (at[2] + at[3]) / 2).norm()
        spread = points - points.mean(0)
        return spread.square().sum(-1).mean().sqrt()
