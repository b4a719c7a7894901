"""Motions of bodies and of skeletons in files of any kind that is known, told apart by how their names end."""

import os
from pathlib import Path

import torch

from unveil.body.amass import read_amass, write_amass
from unveil.body.body_motion import BodyMotion
from unveil.body.bvh.reader import read_bvh
from unveil.body.bvh.writer import write_bvh
from unveil.body.character import Character
from unveil.body.gltf.reader import read_glb
from unveil.body.gltf.writer import write_glb
from unveil.body.joint_maps import JointMap
from unveil.body.motion import Motion
from unveil.body.parametric import Body
from unveil.body.retargeting import retarget
from unveil.body.skeleton import Skeleton
from unveil.core.errors import DataError

BODIES = (".npz",)
SKELETONS = (".bvh", ".bvh.gz", ".glb", ".gltf")
MOTIONS = (*BODIES, *SKELETONS)
"""What motions are read from; written are all but .gltf."""


def kind_of(path: str | os.PathLike[str]) -> str:
    """How a file's name ends, one of `MOTIONS`.

    Raises:
        DataError: it is none of them.
    """
    name = Path(path).name.lower()
    found = next((suffix for suffix in MOTIONS if name.endswith(suffix)), None)
    if found is None:
        raise DataError(f"'{path}' is no motion or character that is known; their names end in {', '.join(MOTIONS)}.")
    return found


def read_motion(path: str | os.PathLike[str], body: Body, *, units: str | float | None = None) -> Motion:
    """Read the motion of whatever skeleton a file holds; that of an .npz is the body's own.

    Args:
        path: .npz, .bvh, .bvh.gz, .glb or .gltf; of several animations the first is taken.
        body: whose skeleton an .npz moves.
        units: what a length of 1 is; see `read_bvh`.

    Raises:
        DataError: it cannot be read, or nothing in it moves.
    """
    kind = kind_of(path)
    if kind in BODIES:
        return read_amass(path, body).motion(body)
    if kind.startswith(".bvh"):
        return read_bvh(path, units=units)
    character = read_glb(path, units=units)
    if not character.motions:
        raise DataError(f"'{path}' holds a character without animations; give a file with a motion.")
    return next(iter(character.motions.values()))


def read_body_motion(
    path: str | os.PathLike[str], body: Body, *, units: str | float | None = None, joint_map: JointMap | None = None
) -> BodyMotion:
    """Read a motion as one of the body; one of another skeleton is retargeted to the body's average shape.

    Raises:
        DataError: it cannot be read, or the skeleton is no human's.
    """
    if kind_of(path) in BODIES:
        return read_amass(path, body)
    moved = retarget(read_motion(path, body, units=units), body.skeleton(), source_map=joint_map)
    gender = "neutral" if "neutral" in body.genders else body.genders[0]
    return BodyMotion(moved.rot, moved.root, torch.zeros(10), gender, moved.fps)


def read_character(path: str | os.PathLike[str], *, units: str | float | None = None) -> Character | Skeleton:
    """Read a character from a .glb or .gltf, or the bare skeleton of a .bvh.

    Raises:
        DataError: it cannot be read, or is of another kind.
    """
    kind = kind_of(path)
    if kind in BODIES:
        raise DataError(f"'{path}' holds a motion of a body; a character is a .glb, a .gltf or the skeleton of a .bvh.")
    return read_bvh(path, units=units).skeleton if kind.startswith(".bvh") else read_glb(path, units=units)


def write_body_motion(motion: BodyMotion, path: str | os.PathLike[str], body: Body, *, scale: float = 1.0) -> Path:
    """Write a body's motion as .npz, .bvh, .bvh.gz, or .glb with its skin; what is there is replaced.

    Args:
        motion: of the body in its own size.
        path: of the file.
        body: whose skin and joints it has.
        scale: how many times its own size it is written; an .npz knows bodies of their own size only.

    Raises:
        DataError: the name ends in none of these.
    """
    if kind_of(path) in BODIES:
        return write_amass(motion, path, body)
    character = body.character(motion.shape, motion.gender).scaled(scale)
    return write_motion(motion.motion(body, scale), path, character)


def write_motion(motion: Motion, path: str | os.PathLike[str], character: Character | None = None) -> Path:
    """Write a skeleton's motion as .bvh, .bvh.gz, or .glb with the character that wears the skeleton.

    Raises:
        DataError: the name ends in none of these, or there is no character for a .glb.
    """
    kind = kind_of(path)
    if kind.startswith(".bvh"):
        return write_bvh(motion.aligned(), path)
    if kind != ".glb":
        raise DataError(f"'{path}': the motion of a skeleton is written as .bvh or .glb.")
    if character is None:
        raise DataError(f"'{path}': a .glb holds a character with a skin, and this is a bare skeleton; write a .bvh.")
    return write_glb(character, path, motion)
