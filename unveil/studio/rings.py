"""Rings around the limbs of a body, one for each joint, by which it can be taken hold of."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unveil.body.joints import JOINTS, PARENTS
from unveil.body.parametric import Body
from unveil.geometry import matrix_to_quaternion
from unveil.studio.actors import Actor
from unveil.studio.costume import Costume

_THICK = 0.02  # metres of a limb that a ring lies around
_GAP = 0.007  # metres between skin and ring
_TOWARDS = {"pelvis": "spine1", "spine3": "neck", "left_wrist": "left_hand", "right_wrist": "right_hand"}
# Metres along the bone to where a limb is one round thing: thigh, shin, skull.
_SHIFT = {"hip": 0.09, "ankle": 0.055, "head": 0.1, "neck": 0.035, "foot": 0.02, "collar": 0.05, "shoulder": 0.03}
_AROUND, _ACROSS = 32, 6  # few: without a GPU all rings together cost as much as a body
_LEAST, _MOST = 0.022, 0.30
WIDE = tuple(
    j
    for j, name in enumerate(JOINTS)
    if name.startswith(("pelvis", "spine", "head")) or name.endswith(("hip", "collar"))
)
"""The joints whose rings go around much; the others are drawn with a rod that is thicker for their size."""
NARROW = tuple(j for j in range(len(JOINTS)) if j not in WIDE)


class Rings(NamedTuple):
    """Rings at rest.

    Attributes:
        frames: of the rings in their joints' frames, (24, 3, 3); a ring lies across the third column.
        centres: where they are in those frames, (24, 3), metres.
        radii: along the first two columns, (24, 2).
    """

    frames: Tensor
    centres: Tensor
    radii: Tensor


class PlacedRings(NamedTuple):
    """Rings in the scene, as numbers for a page.

    Attributes:
        positions: (24, 3).
        wxyz: quaternions, (24, 4).
        scales: (24, 3), of a ring of radius 1.
    """

    positions: np.ndarray
    wxyz: np.ndarray
    scales: np.ndarray


def rings_of(body: Body, actor: Actor) -> Rings:
    """The rings of a body of one shape, wide enough for the character that it drives."""
    return _rings(body, actor.gender, tuple(actor.betas.tolist()), actor.costume, actor.scale)


def place_rings(rings: Rings, positions: Tensor, rotations: Tensor, scale: float) -> PlacedRings:
    """The rings of a body in a pose: joints at positions (24, 3), turned so in the world, (24, 3, 3)."""
    turned = rotations @ rings.frames
    centres = positions + scale * (rotations @ rings.centres[..., None])[..., 0]
    mean = rings.radii.mean(1, keepdim=True)
    scales = scale * torch.cat([rings.radii, mean], 1)
    quaternions = matrix_to_quaternion(turned)
    return PlacedRings(centres.numpy(), quaternions.numpy(), scales.numpy())


def torus(rod: float) -> tuple[np.ndarray, np.ndarray]:
    """A ring of radius 1 about the Z axis, of a rod of some radius: vertices (V, 3) and faces (F, 3)."""
    u, v = np.meshgrid(
        2 * np.pi * np.arange(_AROUND) / _AROUND, 2 * np.pi * np.arange(_ACROSS) / _ACROSS, indexing="ij"
    )
    away = 1 + rod * np.cos(v)
    vertices = np.stack([away * np.cos(u), away * np.sin(u), rod * np.sin(v)], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(_AROUND), np.arange(_ACROSS), indexing="ij")
    a, b = i * _ACROSS + j, (i + 1) % _AROUND * _ACROSS + j
    c, d = (i + 1) % _AROUND * _ACROSS + (j + 1) % _ACROSS, i * _ACROSS + (j + 1) % _ACROSS
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return vertices.astype(np.float32), faces.astype(np.int32)


@lru_cache(maxsize=8)
def _rings(body: Body, gender: str, betas: tuple[float, ...], costume: Costume | None, scale: float) -> Rings:
    shape = torch.tensor(betas)
    joints, skin = body.rest_joints(shape, gender), body.rest_vertices(shape, gender)
    weights = body.weights[body.genders.index(gender)]
    if costume is not None and costume.character is not None:
        own = costume.worn(body, torch.eye(3).expand(len(JOINTS), 3, 3), joints[0], shape, gender, scale).vertices
        if own is not None:
            skin, weights = torch.cat([skin, own / scale]), torch.cat([weights, costume.weights()])
    frames, centres, radii = [], [], []
    for joint, name in enumerate(JOINTS):
        frame = _frame(joint, joints)
        part = name.split("_")[-1]
        carriers = [joint] if part == "hip" else [joint, max(PARENTS[joint], 0)]
        across = (skin - joints[joint]) @ frame  # in the ring's own axes
        near = (weights[:, carriers].sum(1) > 0.4) & ((across[:, 2] - _SHIFT.get(part, 0.0)).abs() < _THICK)
        flat = across[near, :2] if near.any() else across.new_zeros(1, 2)
        low, high = flat.amin(0), flat.amax(0)
        centre = frame @ torch.cat([(low + high) / 2, across[near, 2].mean()[None] if near.any() else low.new_zeros(1)])
        frames.append(frame)
        centres.append(centre)
        radii.append(((high - low) / 2 + _GAP).clamp(_LEAST, _MOST))
    return Rings(torch.stack(frames), torch.stack(centres), torch.stack(radii))


def _frame(joint: int, joints: Tensor) -> Tensor:
    """Axes of a ring: the third along the bone, the first two across it."""
    name = JOINTS[joint]
    children = [child for child, parent in enumerate(PARENTS) if parent == joint]
    if name in _TOWARDS:
        along = joints[JOINTS.index(_TOWARDS[name])] - joints[joint]
    elif name.endswith(("elbow", "knee", "shoulder", "hip")) or not children:
        along = joints[joint] - joints[PARENTS[joint]]
        if name.endswith(("shoulder", "hip")):
            along = joints[children[0]] - joints[joint]
    else:
        along = joints[children[0]] - joints[joint]
    if name.endswith("ankle"):
        along = joints[PARENTS[joint]] - joints[joint]
    along = torch.nn.functional.normalize(along, dim=-1)
    least = torch.nn.functional.one_hot(along.abs().argmin(), 3).to(along)
    first = torch.nn.functional.normalize(torch.linalg.cross(least, along), dim=-1)
    return torch.stack([first, torch.linalg.cross(along, first), along], -1)
