"""Points of a body that detectors of people mark in pictures, and the orders in which they list them. Imports no torch.

Sources: the COCO keypoint task (17 points), OpenPose's BODY-25, MediaPipe's pose landmarks (33).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from unveil.body.joints import find_joint, mirror_name

_Offset = tuple[float, float, float]


@dataclass(frozen=True)
class Marker:
    """A point of the body: the mean of joints, moved with the first of them.

    Args:
        joints: numbers.
        offset: in the frame of the first joint, metres.
        trust: how far the point can be relied on, from 0 to 1.
    """

    joints: tuple[int, ...]
    offset: _Offset = (0.0, 0.0, 0.0)
    trust: float = 1.0


# Of the left and of the middle, metres at a stature of 1.70; the right is its mirror image.
_LEFT: dict[str, tuple[tuple[str, ...], _Offset, float]] = {
    "nose": (("head",), (0.0, 0.050, 0.085), 1.0),
    "left_eye": (("head",), (0.033, 0.085, 0.070), 0.7),
    "left_eye_inner": (("head",), (0.015, 0.085, 0.075), 0.5),
    "left_eye_outer": (("head",), (0.045, 0.085, 0.062), 0.5),
    "left_ear": (("head",), (0.075, 0.065, 0.0), 0.7),
    "left_mouth": (("head",), (0.022, 0.015, 0.072), 0.5),
    "neck": (("left_shoulder", "right_shoulder"), (0.0, 0.0, 0.0), 0.7),
    "middle_hip": (("left_hip", "right_hip"), (0.0, 0.0, 0.0), 1.0),
    "left_big_toe": (("left_foot",), (0.0, -0.010, 0.055), 0.7),
    "left_small_toe": (("left_foot",), (0.030, -0.010, 0.030), 0.5),
    "left_heel": (("left_ankle",), (0.0, -0.055, -0.045), 0.7),
    "left_pinky": (("left_hand",), (0.010, -0.005, -0.030), 0.4),
    "left_index": (("left_hand",), (0.030, -0.005, 0.025), 0.4),
    "left_thumb": (("left_wrist",), (0.060, -0.010, 0.050), 0.3),
}


def _markers() -> dict[str, Marker]:
    found: dict[str, Marker] = {}
    for name, (joints, offset, trust) in _LEFT.items():
        found[name] = Marker(tuple(find_joint(joint) for joint in joints), offset, trust)
        if name.startswith("left_"):
            mirrored = tuple(find_joint(mirror_name(joint)) for joint in joints)
            found[mirror_name(name)] = Marker(mirrored, (-offset[0], *offset[1:]), trust)
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        for side in ("left", "right"):
            found[f"{side}_{part}"] = Marker((find_joint(f"{side}_{part}"),))
    for name in ("pelvis", "head", "spine1", "spine2", "spine3", "left_foot", "right_foot", "left_hand", "right_hand"):
        found.setdefault(name, Marker((find_joint(name),)))
    return found


MARKERS = _markers()
"""Every point that has a name."""


def _sides(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{side}_{part}" for part in parts for side in ("left", "right"))


USUAL = ("nose", *_sides(("shoulder", "elbow", "wrist", "hip", "knee", "ankle")))
"""The points that tell of a pose, which people are asked to mark, in the order in which they are."""

COCO_17 = ("nose", *_sides(("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")))
BODY_25 = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("middle_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel"),
    *("right_big_toe", "right_small_toe", "right_heel"),
)
MEDIAPIPE_33 = (
    *("nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer"),
    *_sides(("ear", "mouth", "shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee", "ankle", "heel")),
    *_sides(("big_toe",)),
)
ORDERS = {len(order): order for order in (COCO_17, BODY_25, MEDIAPIPE_33)}
"""The orders, by how many points they have."""
