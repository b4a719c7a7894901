"""What is estimated of a person in a picture, and whatever estimates it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from unveil.body.effectors import Pose
from unveil.body.estimation.keypoints import Keypoints
from unveil.body.joints import find_gender
from unveil.core.errors import ConfigError

UNSURE = ("head", "left_wrist", "right_wrist", "left_hand", "right_hand")
"""Joints whose turn no estimator tells well."""


@dataclass(frozen=True)
class Camera:
    """A camera without lens errors at the world's origin, looking along -Z with Y up.

    Args:
        focal: pixels.
        centre: where it looks, pixels to the right and down.
    """

    focal: float
    centre: tuple[float, float]

    def __post_init__(self) -> None:
        if not 0 < self.focal < float("inf"):
            raise ConfigError(f"focal is {self.focal}; it must be a positive number of pixels.")
        if not all(isfinite(pixel) for pixel in self.centre):
            raise ConfigError(f"centre is {self.centre}; it must be two finite numbers of pixels.")

    @classmethod
    def of_picture(cls, height: int, width: int, focal: float | None = None) -> "Camera":
        """The camera of a picture; without a focal length that of an everyday lens, 1.2 of the longer side."""
        return cls(1.2 * max(height, width) if focal is None else focal, (width / 2, height / 2))

    def project(self, points: Tensor) -> Tensor:
        """Where points, (..., 3) metres, are seen, (..., 2) pixels; those behind the camera as if just before it."""
        depth = (-points[..., 2]).clamp_min(1e-2)
        x = self.centre[0] + self.focal * points[..., 0] / depth
        y = self.centre[1] - self.focal * points[..., 1] / depth
        return torch.stack([x, y], -1)


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """The pose of one person, with the camera at the origin where a picture was the source.

    Args:
        rotations: local, (24, 3, 3).
        pelvis: where the first joint is, (3,), metres.
        betas: shape, (10,).
        gender: male, female or neutral.
        camera: that of the picture, if known.
        score: the more the better, comparable within one picture only.
        keypoints: what it was estimated from, if known.
        unsure: joints whose turns are not to be relied on.
    """

    rotations: Tensor
    pelvis: Tensor
    betas: Tensor
    gender: str = "neutral"
    camera: Camera | None = None
    score: float = 0.0
    keypoints: Keypoints | None = None
    unsure: Sequence[str] = UNSURE

    @property
    def pose(self) -> Pose:
        """The same as a batch of one pose."""
        gender = torch.tensor([find_gender(self.gender)])
        return Pose(self.rotations[None], self.pelvis[None], self.betas[None], gender).checked()


class ImageToPose(Protocol):
    """Whatever finds the people in a picture: an adapter of somebody's network, for example."""

    def __call__(self, image: np.ndarray) -> list[PoseEstimate]:
        """The people in a picture, (H, W, 3) uint8."""
        ...
