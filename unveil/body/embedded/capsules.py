"""The embedded body's measurements: where its joints are and the tapered capsules that its flesh is blended from."""

from functools import cache
from typing import NamedTuple

import numpy as np

from unveil.body.joints import JOINTS, PARENTS, find_joint, mirror_name

STATURE = 1.70
PELVIS = (0.0, -0.24, 0.03)  # metres; off the origin on purpose, as in other bodies

# Shares of the stature, the floor at y = 0; the right side is the mirror image.
_REST = {
    "pelvis": (0, 0.565, 0),
    "spine1": (0, 0.625, -0.004),
    "spine2": (0, 0.695, -0.002),
    "spine3": (0, 0.735, 0.002),
    "neck": (0, 0.845, -0.012),
    "head": (0, 0.893, 0.006),
    "left_hip": (0.052, 0.528, 0.002),
    "left_knee": (0.062, 0.288, 0.002),
    "left_ankle": (0.062, 0.050, -0.014),
    "left_foot": (0.070, 0.014, 0.058),
    "left_collar": (0.040, 0.800, -0.004),
    "left_shoulder": (0.104, 0.816, -0.010),
    "left_elbow": (0.264, 0.816, -0.018),
    "left_wrist": (0.410, 0.816, -0.014),
    "left_hand": (0.458, 0.814, -0.010),
}

BLENDS = {"torso": 0.022, "head": 0.010, "left_leg": 0.009, "right_leg": 0.009, "left_arm": 0.009, "right_arm": 0.009}
"""How softly the capsules of each part flow into one another, metres."""


class Capsules(NamedTuple):
    """Tapered capsules, N of them.

    Attributes:
        start: one end of each axis, (N, 3), metres.
        end: the other, (N, 3).
        radius: at either end, (N, 2).
        owner: the joint each moves with, (N,).
        part: the name of the part of the body that each belongs to.
    """

    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray
    owner: np.ndarray
    part: tuple[str, ...]


@cache
def rest_joints() -> np.ndarray:
    """Where the joints are at rest, (24, 3), metres."""
    flip = np.array([-1.0, 1, 1])
    places = [_REST[n] if n in _REST else flip * np.array(_REST[mirror_name(n)]) for n in JOINTS]
    scaled = STATURE * np.array(places, float)
    return scaled - scaled[0] + np.array(PELVIS)


@cache
def capsules() -> Capsules:
    """The capsules of the whole body."""
    rows = []
    for part in BLENDS:
        side = part.split("_")[0] if "_" in part else "left"
        flip = np.array([1.0 if side == "left" else -1.0, 1, 1])
        for owner, (a, da), (b, db), radii in _PARTS[part.split("_")[-1]]():
            start = _point(a, side) + STATURE * flip * np.array(da)
            end = _point(b, side) + STATURE * flip * np.array(db)
            rows.append((start, end, STATURE * np.array(radii), find_joint(_sided(owner, side)), part))
    start, end, radius, owners, parts = zip(*rows, strict=True)
    return Capsules(np.array(start), np.array(end), np.array(radius), np.array(owners), parts)


def bone_children() -> list[list[int]]:
    """Of each joint, those that hang on it."""
    return [[j for j, parent in enumerate(PARENTS) if parent == joint] for joint in range(len(JOINTS))]


_Place = tuple[str, tuple[float, float, float]]
_Row = tuple[str, _Place, _Place, tuple[float, float]]
_HERE = (0.0, 0.0, 0.0)


def _sided(name: str, side: str) -> str:
    return name if name in JOINTS else f"{side}_{name}"


def _point(name: str, side: str) -> np.ndarray:
    if "*" not in name:  # a share of the way between two joints: "knee*ankle*0.4"
        return rest_joints()[find_joint(_sided(name, side))]
    first, second, share = name.split("*")
    return (1 - float(share)) * _point(first, side) + float(share) * _point(second, side)


def _torso() -> list[_Row]:
    rows: list[_Row] = [
        ("pelvis", ("left_hip", (0, 0.024, 0)), ("right_hip", (0, 0.024, 0)), (0.056, 0.056)),
        ("pelvis", ("pelvis", _HERE), ("spine1", _HERE), (0.072, 0.068)),
        ("spine3", ("spine3", (0, 0.03, 0)), ("neck", (0, -0.02, 0)), (0.060, 0.040)),
    ]
    for s in (1, -1):
        rows += [
            ("spine1", ("spine1", (s * 0.025, 0, 0)), ("spine2", (s * 0.025, 0, 0)), (0.058, 0.060)),
            ("spine2", ("spine2", (s * 0.032, 0, 0)), ("spine3", (s * 0.034, 0, 0)), (0.060, 0.062)),
            ("spine3", ("spine3", (s * 0.034, 0, 0.006)), ("spine3", (s * 0.046, 0.055, 0.004)), (0.062, 0.052)),
        ]
    return rows


def _head() -> list[_Row]:
    return [
        ("neck", ("neck", (0, -0.01, 0)), ("head", _HERE), (0.034, 0.032)),
        ("head", ("head", (0, 0.020, 0.004)), ("head", (0, 0.064, 0.004)), (0.036, 0.044)),
        ("head", ("head", (0, 0.008, 0.018)), ("head", (0, 0.030, 0.022)), (0.026, 0.028)),
        ("head", ("head", (0, 0.030, 0.044)), ("head", (0, 0.018, 0.052)), (0.009, 0.012)),  # nose
    ]


def _leg() -> list[_Row]:
    calf = ("knee*ankle*0.4", (0, 0, -0.010))
    return [
        ("hip", ("hip", (0, -0.01, 0)), ("knee", _HERE), (0.051, 0.034)),
        ("hip", ("hip", (0.004, -0.012, -0.022)), ("hip", (0.004, -0.05, -0.012)), (0.044, 0.040)),
        ("knee", ("knee", _HERE), calf, (0.033, 0.034)),
        ("knee", calf, ("ankle", _HERE), (0.034, 0.022)),
        ("ankle", ("ankle", _HERE), ("ankle", (0.001, -0.026, -0.014)), (0.022, 0.020)),
        ("ankle", ("ankle", (0, -0.018, 0)), ("foot", (0, 0.006, -0.004)), (0.022, 0.018)),
        ("foot", ("foot", (-0.008, 0.003, 0)), ("foot", (-0.006, 0.001, 0.030)), (0.018, 0.016)),
        ("foot", ("foot", (0.012, 0.002, -0.004)), ("foot", (0.014, 0, 0.018)), (0.017, 0.015)),
    ]


def _arm() -> list[_Row]:
    forearm = ("elbow*wrist*0.28", _HERE)
    rows: list[_Row] = [
        ("collar", ("collar", (0, -0.004, 0)), ("shoulder", (-0.012, 0, 0)), (0.034, 0.032)),
        ("shoulder", ("shoulder", _HERE), ("elbow", _HERE), (0.032, 0.024)),
        ("elbow", ("elbow", _HERE), forearm, (0.024, 0.025)),
        ("elbow", forearm, ("wrist", _HERE), (0.025, 0.016)),
        ("wrist", ("wrist", (0.014, -0.002, 0.016)), ("wrist", (0.044, -0.008, 0.036)), (0.013, 0.011)),  # thumb
    ]
    for z in (-0.014, 0.0, 0.014):
        tip = (0.043 if z else 0.050, -0.004, z)
        rows += [
            ("wrist", ("wrist", (0.004, 0, 0.6 * z)), ("hand", (0, 0, z)), (0.0145, 0.0145)),
            ("hand", ("hand", (0, 0, z)), ("hand", tip), (0.0135, 0.0115)),
        ]
    return rows


_PARTS = {"torso": _torso, "head": _head, "leg": _leg, "arm": _arm}
