"""Poses that people take, as angles: what the procedural motions go between."""

from functools import cache

import torch
from torch import Tensor

from unveil.body.joints import JOINTS, find_joint, mirror_name
from unveil.body.limits import clamp_angles

_Angles = dict[str, tuple[float, float, float]]
_SIDED = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist", "hand")
_DOWN: _Angles = {"shoulder": (0, -5, -72), "elbow": (0, -12, 0)}
_SPINE_FORWARD: _Angles = {"spine1": (30, 10, 0), "spine2": (20, 10, 0)}

# Degrees about x, y, z. A name without a side stands for both; "left_" and "right_" for one, written as for the left.
_KEYS: dict[str, _Angles] = {
    "stand": _DOWN,
    "t-pose": {},
    "a-pose": {"shoulder": (0, 0, -45)},
    "reach-up": {"shoulder": (0, -20, 70), "collar": (0, 0, 18)},
    "reach-forward": {"shoulder": (0, -85, -5), "spine1": (12, 0, 0)},
    "reach-up-one": _DOWN | {"left_shoulder": (0, -20, 70), "left_elbow": (0, 0, 0), "left_collar": (0, 0, 18)},
    "reach-low": _DOWN
    | _SPINE_FORWARD
    | {"left_shoulder": (0, -60, -40), "hip": (-55, 0, 0), "knee": (60, 0, 0), "ankle": (-15, 0, 0)},
    "crouch": {
        **{"hip": (-95, 10, 18), "knee": (120, 0, 0), "ankle": (-28, 0, 0), "spine1": (25, 0, 0), "spine2": (12, 0, 0)},
        **{"shoulder": (0, -60, -35), "elbow": (0, -60, 0)},
    },
    "squat": {
        "hip": (-80, 8, 15),
        "knee": (95, 0, 0),
        "ankle": (-22, 0, 0),
        "shoulder": (0, -80, -5),
        "spine1": (15, 0, 0),
    },
    "sit": {"hip": (-88, 3, 6), "knee": (88, 0, 0), "shoulder": (0, -25, -60), "elbow": (0, -55, 0)},
    "floor-sit": {"hip": (-80, 0, 10), "knee": (15, 0, 0), "shoulder": (0, 10, -60), "elbow": (0, -15, 0)},
    "kneel": _DOWN | {"hip": (-5, 0, 0), "knee": (95, 0, 0), "ankle": (20, 0, 0)},
    "half-kneel": _DOWN
    | {"left_hip": (-85, 0, 5), "left_knee": (88, 0, 0), "right_hip": (-3, 0, 0), "right_knee": (92, 0, 0)},
    "lunge": _DOWN
    | {"left_hip": (-70, 0, 5), "left_knee": (75, 0, 0), "right_hip": (18, 0, 0), "right_knee": (20, 0, 0)},
    "bow": _DOWN
    | {"spine1": (30, 0, 0), "spine2": (20, 0, 0), "spine3": (10, 0, 0), "hip": (-45, 0, 0), "pelvis": (45, 0, 0)},
    "hands-on-hips": {"shoulder": (60, 25, -50), "elbow": (0, -95, 0)},
    "arms-crossed": {"shoulder": (20, -45, -60), "elbow": (0, -110, 0)},
    "hands-on-head": {"shoulder": (-70, -20, 10), "elbow": (0, -135, 0)},
    "wave": _DOWN | {"left_shoulder": (-85, -10, -5), "left_elbow": (0, -90, 0)},
    "kick": _DOWN
    | {"left_hip": (-95, 0, 0), "left_knee": (10, 0, 0), "right_shoulder": (0, -40, -60), "spine1": (-10, 0, 0)},
    "run": {
        **{"left_hip": (-65, 0, 0), "left_knee": (80, 0, 0), "right_hip": (20, 0, 0), "right_knee": (45, 0, 0)},
        **{"left_shoulder": (0, 30, -70), "right_shoulder": (0, -45, -70), "elbow": (0, -85, 0), "spine1": (8, 0, 0)},
    },
    "hug": {"shoulder": (0, -70, -15), "elbow": (0, -75, 0)},
    "point": _DOWN | {"left_shoulder": (0, -80, 0), "left_elbow": (0, -5, 0), "head": (0, 5, 0)},
    "throw": {
        **{"left_shoulder": (-80, 10, 15), "left_elbow": (0, -100, 0), "right_shoulder": (0, -60, -10)},
        **{"spine1": (0, 18, 0), "spine2": (0, 12, 0), "right_hip": (-35, 0, 0), "right_knee": (25, 0, 0)},
    },
    "jump": {
        "hip": (-25, 0, 8),
        "knee": (45, 0, 0),
        "ankle": (20, 0, 0),
        "shoulder": (0, -30, 55),
        "elbow": (0, -20, 0),
    },
    "lie": _DOWN | {"pelvis": (-90, 0, 0), "hip": (-4, 0, 4), "knee": (8, 0, 0)},
}


@cache
def key_poses() -> dict[str, Tensor]:
    """Poses by name, as angles about x, y and z in radians, (24, 3), within the joints' limits."""
    return {name: _angles(key) for name, key in _KEYS.items()}


def _angles(key: _Angles) -> Tensor:
    angles = torch.zeros(len(JOINTS), 3)
    for name, (x, y, z) in sorted(key.items(), key=lambda item: item[0].startswith(("left_", "right_"))):
        degrees = torch.tensor([x, y, z], dtype=torch.float32)
        joint = f"left_{name}" if name in _SIDED else name
        mirrored = degrees * torch.tensor([1.0, -1.0, -1.0])
        if not joint.startswith("right_"):
            angles[find_joint(joint)] = degrees
        if name in _SIDED:
            angles[find_joint(mirror_name(joint))] = mirrored
        elif joint.startswith("right_"):
            angles[find_joint(joint)] = mirrored
    return clamp_angles(torch.deg2rad(angles))
