"""Rotations of a few joints as numpy arrays: for loops in which a call of torch would take longer than its work."""

import numpy as np

Array = np.ndarray


def cross_matrix(vector: Array) -> Array:
    """The matrix K with K v = vector x v: (..., 3) -> (..., 3, 3)."""
    k = np.zeros((*vector.shape, 3))
    k[..., 0, 1], k[..., 0, 2], k[..., 1, 2] = -vector[..., 2], vector[..., 1], -vector[..., 0]
    k[..., 1, 0], k[..., 2, 0], k[..., 2, 1] = vector[..., 2], -vector[..., 1], vector[..., 0]
    return k


def cross(a: Array, b: Array) -> Array:
    """a x b, (..., 3)."""
    return (cross_matrix(a) @ b[..., None])[..., 0]


def unit(vector: Array) -> Array:
    """Of length 1, (..., 3)."""
    return vector / np.maximum(np.sqrt((vector * vector).sum(-1, keepdims=True)), 1e-12)


def exponential(vector: Array) -> Array:
    """Turns by |vector| about vector: (..., 3) -> (..., 3, 3)."""
    squared = (vector * vector).sum(-1)[..., None, None]
    angle = np.sqrt(np.maximum(squared, 1e-16))
    k = cross_matrix(vector)
    return np.eye(3) + np.sin(angle) / angle * k + 2 * (np.sin(angle / 2) / angle) ** 2 * (k @ k)


def logarithm(rot: Array) -> Array:
    """The axis times the angle, 0 to pi: (..., 3, 3) -> (..., 3)."""
    skew = np.empty(rot.shape[:-1])
    skew[..., 0] = rot[..., 2, 1] - rot[..., 1, 2]
    skew[..., 1] = rot[..., 0, 2] - rot[..., 2, 0]
    skew[..., 2] = rot[..., 1, 0] - rot[..., 0, 1]
    sine = np.sqrt((skew * skew).sum(-1)) / 2
    cosine = (rot[..., 0, 0] + rot[..., 1, 1] + rot[..., 2, 2] - 1) / 2
    large = sine > 1e-9
    found = skew * (np.where(large, np.arctan2(sine, cosine), 1.0) / np.where(large, 2 * sine, 2.0))[..., None]
    half = (cosine < 0) & (sine < 1e-6)  # half a turn: the axis is what stays
    if half.any():
        kept = rot[half] + np.eye(3)
        longest = (kept * kept).sum(-2).argmax(-1)
        found[half] = np.pi * unit(kept[np.arange(len(kept)), :, longest])
    return found


def turn_between(source: Array, target: Array) -> Array:
    """The least turn from one unit direction to another, as axis times angle, (..., 3)."""
    axis = cross(source, target)
    sine, cosine = np.sqrt((axis * axis).sum(-1, keepdims=True)), (source * target).sum(-1, keepdims=True)
    found = axis * np.arctan2(sine, cosine) / np.where(sine > 1e-9, sine, 1.0)
    opposite = (sine <= 1e-9) & (cosine < 0)
    if opposite.any():  # any half turn across will do
        across = unit(cross(source, np.eye(3)[np.abs(source).argmin(-1)]))
        found = np.where(opposite, np.pi * across, found)
    return found


def from_angles(angles: Array) -> Array:
    """R_y R_z R_x, as `angles_to_pose`: (..., 3) -> (..., 3, 3)."""
    sine, cosine = np.sin(angles), np.cos(angles)
    sx, sy, sz = sine[..., 0], sine[..., 1], sine[..., 2]
    cx, cy, cz = cosine[..., 0], cosine[..., 1], cosine[..., 2]
    rot = np.empty((*angles.shape, 3))
    rot[..., 0, 0], rot[..., 0, 1], rot[..., 0, 2] = cy * cz, sy * sx - cy * sz * cx, cy * sz * sx + sy * cx
    rot[..., 1, 0], rot[..., 1, 1], rot[..., 1, 2] = sz, cz * cx, -cz * sx
    rot[..., 2, 0], rot[..., 2, 1], rot[..., 2, 2] = -sy * cz, sy * sz * cx + cy * sx, cy * cx - sy * sz * sx
    return rot
