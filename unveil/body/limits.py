"""How far the joints of a human turn, in the angles that the limits are written in."""

import torch
from torch import Tensor

from unveil.body.joints import JOINTS, MIRROR, mirror_name
from unveil.core.errors import ConfigError
from unveil.geometry import euler_to_matrix, matrix_to_euler

ORDER = "YZX"
"""A pose is made of angles as R = R_y R_z R_x; they are given as x, y, z."""

# Degrees: x from and to, y from and to, z from and to, of the middle and the left.
_DEGREES = {
    "spine1": (-15, 35, -20, 20, -15, 15),
    "spine2": (-10, 25, -15, 15, -12, 12),
    "spine3": (-10, 20, -12, 12, -10, 10),
    "neck": (-25, 30, -40, 40, -20, 20),
    "head": (-20, 20, -25, 25, -12, 12),
    "left_hip": (-120, 25, -35, 35, -20, 45),
    "left_knee": (0, 140, -8, 8, -3, 3),
    "left_ankle": (-35, 25, -15, 15, -15, 15),
    "left_foot": (-30, 15, 0, 0, 0, 0),
    "left_collar": (-5, 5, -15, 10, -8, 22),
    "left_shoulder": (-90, 70, -110, 40, -89, 75),  # at 90 about z the turns about x and y would be one
    "left_elbow": (-5, 5, -145, 0, -3, 3),
    "left_wrist": (-75, 75, -25, 25, -65, 65),
    "left_hand": (-3, 3, -15, 15, -25, 15),
}


def _table() -> Tensor:
    limits = torch.full((len(JOINTS), 3, 2), torch.pi)
    limits[..., 0] = -torch.pi  # the pelvis turns freely
    for joint, name in enumerate(JOINTS):
        if name in _DEGREES:
            limits[joint] = torch.deg2rad(torch.tensor(_DEGREES[name], dtype=torch.float32)).reshape(3, 2)
        elif mirror_name(name) in _DEGREES:
            x, y, z = torch.deg2rad(torch.tensor(_DEGREES[mirror_name(name)], dtype=torch.float32)).reshape(3, 2)
            limits[joint] = torch.stack([x, -y.flip(0), -z.flip(0)])
    return limits


LIMITS = _table()
"""The least and the greatest angle about x, y and z of each joint, (24, 3, 2), radians; the pelvis has none."""


def angles_to_pose(angles: Tensor) -> Tensor:
    """Local rotations of angles about x, y and z: (..., 24, 3) -> (..., 24, 3, 3)."""
    return euler_to_matrix(angles[..., [1, 2, 0]], ORDER)


def pose_to_angles(pose: Tensor) -> Tensor:
    """The angles about x, y and z of local rotations: (..., 24, 3, 3) -> (..., 24, 3)."""
    return matrix_to_euler(pose, ORDER)[..., [2, 0, 1]]


def clamp_angles(angles: Tensor) -> Tensor:
    """The angles, brought within the limits: (..., 24, 3)."""
    limits = LIMITS.to(angles)
    return angles.clamp(limits[..., 0], limits[..., 1])


def clamp_pose(pose: Tensor, share: float = 1.0) -> Tensor:
    """Local rotations whose angles are brought within the limits: (..., 24, 3, 3).

    Args:
        pose: local rotations.
        share: of the way to the limits; below 1 a joint may stay a little outside.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share is {share}; it must be from 0 to 1.")
    angles = pose_to_angles(pose)
    within = clamp_angles(angles)
    outside = (within != angles).any(-1)[..., None, None]
    # What is within its limits is left as it is, bit for bit.
    return torch.where(outside, angles_to_pose(torch.lerp(angles, within, share)), pose)


def mirror_pose(pose: Tensor) -> Tensor:
    """The pose as a mirror shows it, left for right: (..., 24, 3, 3)."""
    signs = torch.tensor([-1.0, 1.0, 1.0], dtype=pose.dtype, device=pose.device)
    return signs[:, None] * pose[..., list(MIRROR), :, :] * signs


def mirror_angles(angles: Tensor) -> Tensor:
    """The same of angles about x, y and z: (..., 24, 3)."""
    signs = torch.tensor([1.0, -1.0, -1.0], dtype=angles.dtype, device=angles.device)
    return signs * angles[..., list(MIRROR), :]
