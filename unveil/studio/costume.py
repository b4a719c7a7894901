"""A character of a file that a body drives."""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from unveil.body.body_motion import BodyMotion
from unveil.body.bvh.reader import read_bvh
from unveil.body.character import Character
from unveil.body.gltf.reader import read_glb
from unveil.body.joint_maps import JointMap, find_joints
from unveil.body.joints import JOINTS, PARENTS
from unveil.body.motion import Motion
from unveil.body.parametric import Body
from unveil.body.retargeting import retarget
from unveil.body.shape_inversion import ShapeBank, invert_shape
from unveil.body.skeleton import Skeleton
from unveil.core.errors import DataError
from unveil.studio.opening import from_bytes, suffix_of

_UNITS = (1.0, 0.01, 0.001, 0.0254)
_LEAST, _MOST = 0.5, 3.0  # metres that a character may be large
_OWN = JointMap({name: name for name in JOINTS}, "smpl")  # known, so that it is not looked for in every drag
_HIPS = ("left_hip", "right_hip")
_SHAPES, _SCALES = 5.0, (0.2, 2.0)


class Worn(NamedTuple):
    """A character in the pose of a body.

    Attributes:
        vertices: its surface, (V, 3), if it has one.
        positions: of its joints, (J, 3).
        rotations: of its joints in the world, (J, 3, 3).
    """

    vertices: Tensor | None
    positions: Tensor
    rotations: Tensor


class Fitted(NamedTuple):
    """The body of a character's proportions.

    Attributes:
        betas: its shape, (10,).
        scale: how many times its own size it stands.
        motion: the motion that came with the character, as the body's, if one did.
    """

    betas: Tensor
    scale: float
    motion: BodyMotion | None


@dataclass(frozen=True, eq=False)
class Costume:
    """A character, and which of its joints are a human's.

    Args:
        name: of its file.
        data: its file, so that a project holds it whole.
        skeleton: in metres.
        joints: which of its joints are a human's.
        character: its surface, of a .glb; a .bvh has bones only.
        motion: that came with it.
    """

    name: str
    data: bytes
    skeleton: Skeleton
    joints: JointMap
    character: Character | None = None
    motion: Motion | None = None

    @classmethod
    def read(cls, name: str, data: bytes) -> "Costume":
        """Read a .glb or .bvh, in whatever units it is written.

        Raises:
            DataError: it is damaged, or no human.
        """
        suffix = suffix_of(name)

        skeleton, character, motion = from_bytes(name, data, suffix, lambda path: _sized(path, suffix))
        return cls(name, data, skeleton, find_joints(skeleton).check(name), character, motion)

    @property
    def told(self) -> str:
        """A sentence on what it is."""
        kind = "a character" if self.character is not None else "a skeleton"
        whose = (
            "whose joints were guessed" if self.joints.convention == "guessed" else f"named as {self.joints.convention}"
        )
        return f"{kind} of {len(self.skeleton)} joints {whose}."

    def fitted(self, body: Body, gender: str) -> Fitted:
        """The body that has its proportions, and its motion as that body's."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # widening is the usual thing for drawn characters
            found = invert_shape(self.skeleton, _bank(body, gender), joint_map=self.joints, polish=True)
        betas = found.shape.float().clamp(-_SHAPES, _SHAPES)
        scale = min(max(float(found.scale), _SCALES[0]), _SCALES[1])
        if self.motion is None:
            return Fitted(betas, scale, None)
        own = self._double(body, betas, gender, scale)
        moved = retarget(self.motion, own, source_map=self.joints)
        pelvis = (moved.root + self._hips(self.motion) - _own_hips(moved)) / scale
        return Fitted(betas, scale, BodyMotion(moved.rot, pelvis, betas, gender, self.motion.fps))

    def driven(self, body: Body, motion: BodyMotion, scale: float) -> Motion:
        """A motion of a body that stands so many times its own size, as the character's own."""
        own = self._double(body, motion.shape, motion.gender, scale)
        given = Motion(own, motion.pose, scale * motion.pelvis, motion.fps)
        moved = retarget(given, self.skeleton, source_map=_OWN, target_map=self.joints)
        # Hips are where the body's are, whatever the legs' lengths are, and wherever the file has its pelvis.
        away = _own_hips(given) - self._hips(moved)
        return Motion(self.skeleton, moved.rot, moved.root + away, moved.fps)

    def worn(self, body: Body, rotations: Tensor, pelvis: Tensor, betas: Tensor, gender: str, scale: float) -> Worn:
        """The character in one pose of the body, (24, 3, 3) and (3,)."""
        moved = self.driven(body, BodyMotion(rotations[None], pelvis[None], betas, gender), scale)
        world, positions = moved.world()
        vertices = None if self.character is None else self.character.move(moved)[0]
        return Worn(vertices, positions[0], world[0])

    def weights(self) -> Tensor:
        """How much each vertex of its surface follows each joint of a human, (V, 24).

        A joint that is no human's, such as a finger's, counts for the next one above it that is.
        """
        if self.character is None:
            return torch.zeros(0, len(JOINTS))
        known = {self.skeleton.index(name): JOINTS.index(joint) for joint, name in self.joints.names.items()}
        found = torch.zeros(len(self.character.vertices), len(JOINTS))
        for joint in range(len(self.skeleton)):
            above = joint
            while above >= 0 and above not in known:
                above = self.skeleton.parents[above]
            if above >= 0:
                found[:, known[above]] += self.character.weights[:, joint]
        return found

    def _hips(self, motion: Motion) -> Tensor:
        """The middle between the character's hips in each frame, (T, 3)."""
        return _middle(motion, [self.skeleton.index(self.joints.names[name]) for name in _HIPS])

    def _double(self, body: Body, betas: Tensor, gender: str, scale: float) -> Skeleton:
        """The body's skeleton in the character's size, with its pelvis where the character's is when bound."""
        rest = scale * body.rest_joints(betas, gender)
        pelvis = self.skeleton.positions[self.skeleton.index(self.joints.names["pelvis"])]
        return Skeleton.at_rest(JOINTS, PARENTS, rest - rest[0] + pelvis)


def _own_hips(motion: Motion) -> Tensor:
    """The same of a motion of the body's skeleton."""
    return _middle(motion, [JOINTS.index(name) for name in _HIPS])


def _middle(motion: Motion, joints: list[int]) -> Tensor:
    return motion.world()[1][:, joints].mean(1)


_Parts = tuple[Skeleton, Character | None, Motion | None]


def _sized(path: Path, suffix: str) -> _Parts:
    """Read it in the units in which it is a human's size; most files that are not in metres do not say so."""
    try:
        return _read(path, suffix, None)
    except DataError:
        extent = _extent(_read(path, suffix, 1.0)[0])
        unit = next((unit for unit in _UNITS if _LEAST <= unit * extent <= _MOST), None)
        if unit is None:
            raise
        return _read(path, suffix, unit)


def _extent(skeleton: Skeleton) -> float:
    return float((skeleton.positions.amax(0) - skeleton.positions.amin(0)).max())


@lru_cache(maxsize=8)
def _bank(body: Body, gender: str) -> ShapeBank:
    return ShapeBank.draw(body, gender)


def _read(path: Path, suffix: str, units: float | None) -> _Parts:
    if suffix == ".glb":
        character = read_glb(path, units=units)
        longest = max(character.motions.values(), key=len, default=None)
        return character.skeleton, character, longest
    motion = read_bvh(path, units=units)
    return motion.skeleton, None, motion
