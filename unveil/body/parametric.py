"""A body whose shape is ten numbers and a gender, and whose pose is a rotation for each of 24 joints."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from unveil.body.arrays import SHAPES, BodyArrays
from unveil.body.character import Character
from unveil.body.embedded.kept import embedded_arrays
from unveil.body.joints import GENDERS, JOINTS, PARENTS, find_gender
from unveil.body.kinematics import forward_kinematics
from unveil.body.skeleton import Skeleton
from unveil.body.skinning import skin
from unveil.core.errors import ConfigError, DataError, ShapeError

Gender = str | int | Tensor | Sequence[str | int]
"""One gender for all, by name or number (male 0, female 1, neutral 2), or one for each body."""

_USUAL = 5  # numbers of a shape that a human may have


class PosedBody(NamedTuple):
    """A body in a pose.

    Attributes:
        vertices: (B, V, 3), metres.
        joints: (B, 24, 3).
        rot: of the joints in the world, (B, 24, 3, 3).
    """

    vertices: Tensor
    joints: Tensor
    rot: Tensor


class Body(nn.Module):
    """A parametric body: shape and pose to joints and skin.

    The skin at rest is the template plus the shape's directions; the joints are averages of its vertices; the skin follows the
    joints by linear blending, after being corrected for the pose if the body knows how. Joints alone are found without
    touching a vertex. What is given may be differentiated through, and the body itself has nothing to train.

    Where a body stands is said in one of two ways: `pelvis` is where its first joint is, `trans` is how far the whole body was
    moved. They differ by where the pelvis is at rest, which depends on the shape.

    Args:
        arrays: of each gender the body has, by name; all of the same topology.

    Source: Loper et al. (2015), SMPL: a skinned multi-person linear model, section 3.
    """

    template: Tensor
    directions: Tensor
    pose_directions: Tensor | None
    weights: Tensor
    faces: Tensor
    regressor: Tensor
    rest: Tensor
    rest_directions: Tensor

    def __init__(self, arrays: Mapping[str, BodyArrays]) -> None:
        super().__init__()
        if not arrays:
            raise ConfigError("A body needs the arrays of one gender at least.")
        self.genders = tuple(gender for gender in GENDERS if gender in arrays)
        if len(self.genders) != len(arrays):
            raise ConfigError(f"A body's genders are {', '.join(arrays)}; there are {', '.join(GENDERS)}.")
        kinds = [arrays[gender] for gender in self.genders]
        if any(kind.faces.shape != kinds[0].faces.shape or (kind.faces != kinds[0].faces).any() for kind in kinds):
            raise DataError("The genders of a body differ in their faces; they are not of one model.")
        if len({kind.pose_directions is None for kind in kinds}) > 1:
            raise DataError(
                "Some genders of a body have pose-dependent shape and others none; they are not of one model."
            )

        def keep(name: str, values: Sequence[np.ndarray]) -> None:
            self.register_buffer(name, torch.from_numpy(np.stack(values).astype(np.float32)), persistent=False)

        keep("template", [kind.template for kind in kinds])
        keep("directions", [kind.shape_directions for kind in kinds])
        keep("weights", [kind.weights for kind in kinds])
        keep("regressor", [kind.regressor for kind in kinds])
        regressors = [kind.regressor.astype(np.float64) for kind in kinds]
        keep("rest", [regressor @ kind.template for regressor, kind in zip(regressors, kinds, strict=True)])
        keep(
            "rest_directions",
            [np.einsum("jv,vik->jik", r, kind.shape_directions) for r, kind in zip(regressors, kinds, strict=True)],
        )
        posed = [kind.pose_directions for kind in kinds if kind.pose_directions is not None]
        if posed:
            keep("pose_directions", [directions.reshape(-1, directions.shape[-1]).T for directions in posed])
        else:
            self.pose_directions = None
        self.register_buffer("faces", torch.from_numpy(kinds[0].faces.astype(np.int64)), persistent=False)

    @classmethod
    def embedded(cls) -> "Body":
        """The body that comes with the library, of all three genders; it takes a few seconds to make the first time."""
        return cls(embedded_arrays())

    @cached_property
    def fingerprint(self) -> str:
        """Names the body's numbers, so that a model trained with one body is not used with another unnoticed."""
        total = hashlib.blake2b(digest_size=8)
        for buffer in (self.rest, self.rest_directions, self.template):
            total.update(np.ascontiguousarray(buffer.cpu().numpy()).data)
        return total.hexdigest()

    def _row(self, gender: Gender | None) -> int | Tensor:
        """Which of the body's genders is meant, or which of them for each body, (B,)."""
        if gender is None:
            return self.genders.index("neutral") if "neutral" in self.genders else 0
        if isinstance(gender, str | int):
            return self._known(find_gender(gender))
        numbers = gender.tolist() if isinstance(gender, Tensor) else [find_gender(one) for one in gender]
        if isinstance(numbers, int):
            return self._known(find_gender(numbers))
        rows = {number: self._known(find_gender(number)) for number in set(numbers)}
        return torch.tensor([rows[number] for number in numbers], dtype=torch.long, device=self.rest.device)

    def _known(self, number: int) -> int:
        if GENDERS[number] not in self.genders:
            raise ConfigError(
                f"This body is {' and '.join(self.genders)}; there is no {GENDERS[number]} one among its files."
            )
        return self.genders.index(GENDERS[number])

    def _shape(self, shape: Tensor | None) -> Tensor | None:
        if shape is not None and (shape.ndim not in (1, 2) or shape.shape[-1] != SHAPES):
            raise ShapeError(
                f"shape is {tuple(shape.shape)}; a body's shape is {SHAPES} numbers, ({SHAPES},) or (B, {SHAPES})."
            )
        return shape

    @staticmethod
    def _vary(template: Tensor, directions: Tensor, shape: Tensor | None, row: int | Tensor) -> Tensor:
        """Template plus directions times shape; (N, 3), or (B, N, 3) where shapes or genders differ."""
        base = template[row]
        if shape is None:
            return base
        if isinstance(row, int):
            moved = shape @ directions[row].flatten(0, 1).T
            return base + moved.unflatten(-1, (-1, 3))
        return base + (directions[row].flatten(1, 2) @ shape.expand(len(row), -1)[..., None]).reshape_as(base)

    def rest_joints(self, shape: Tensor | None = None, gender: Gender | None = None) -> Tensor:
        """Where the joints are at rest.

        Args:
            shape: (10,) or (B, 10); without it, the average.
            gender: one for all, or one for each body; without it neutral, or the only one there is.

        Returns:
            (24, 3), or (B, 24, 3) if shapes or genders were given for each body.
        """
        return self._vary(self.rest, self.rest_directions, self._shape(shape), self._row(gender))

    def rest_vertices(self, shape: Tensor | None = None, gender: Gender | None = None) -> Tensor:
        """The skin at rest, (V, 3) or (B, V, 3); see `rest_joints`."""
        return self._vary(self.template, self.directions, self._shape(shape), self._row(gender))

    def place(
        self,
        pose: Tensor,
        shape: Tensor | None = None,
        gender: Gender | None = None,
        *,
        pelvis: Tensor | None = None,
        trans: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Where the joints of posed bodies are; no vertex is touched.

        Args:
            pose: local rotations, (B, 24, 3, 3).
            shape: see `rest_joints`.
            gender: see `rest_joints`.
            pelvis: where the first joint is, (3,) or (B, 3).
            trans: how far the body was moved instead, (3,) or (B, 3).

        Returns:
            World rotations (B, 24, 3, 3) and positions (B, 24, 3).
        """
        return self._place(pose, self.rest_joints(shape, gender), pelvis, trans)

    @staticmethod
    def _place(pose: Tensor, rest: Tensor, pelvis: Tensor | None, trans: Tensor | None) -> tuple[Tensor, Tensor]:
        if pose.ndim != 4 or pose.shape[1:] != (len(JOINTS), 3, 3):
            raise ShapeError(f"pose is {tuple(pose.shape)}; it must be local rotations (B, {len(JOINTS)}, 3, 3).")
        if pelvis is not None and trans is not None:
            raise ConfigError("pelvis and trans both say where the body is; give one of them.")
        root = rest[..., 0, :] if pelvis is None else pelvis
        if trans is not None:
            root = root + trans
        above = list(PARENTS[1:])
        offset = torch.cat([rest[..., :1, :], rest[..., 1:, :] - rest[..., above, :]], -2)
        return forward_kinematics(pose, offset, PARENTS, root)

    def forward(
        self,
        pose: Tensor,
        shape: Tensor | None = None,
        gender: Gender | None = None,
        *,
        pelvis: Tensor | None = None,
        trans: Tensor | None = None,
    ) -> PosedBody:
        """Joints and skin of posed bodies; the arguments are those of `place`."""
        row = self._row(gender)
        rest = self.rest_joints(shape, gender)
        rot, joints = self._place(pose, rest, pelvis, trans)
        surface = self.rest_vertices(shape, gender)
        if self.pose_directions is not None:
            turned = (pose[:, 1:] - torch.eye(3, dtype=pose.dtype, device=pose.device)).flatten(1)  # (B, 207)
            directions = self.pose_directions[row]
            blend = turned @ directions if isinstance(row, int) else (turned[:, None] @ directions).squeeze(1)
            surface = surface + blend.unflatten(-1, (-1, 3))
        if isinstance(row, int):
            return PosedBody(skin(surface, self.weights[row], rot, joints, rest), joints, rot)
        vertices = torch.empty(len(pose), *surface.shape[-2:], dtype=surface.dtype, device=surface.device)
        for number in range(len(self.genders)):
            own = (row == number).nonzero().squeeze(1)
            moved = skin(surface[own], self.weights[number], rot[own], joints[own], rest[own])
            vertices = vertices.index_copy(0, own, moved)
        return PosedBody(vertices, joints, rot)

    def skeleton(self, shape: Tensor | None = None, gender: str | int | None = None) -> Skeleton:
        """The joints of one body at rest, as a skeleton."""
        if shape is not None and shape.ndim != 1:
            raise ShapeError(f"shape is {tuple(shape.shape)}; one body has one shape, ({SHAPES},).")
        return Skeleton.at_rest(JOINTS, PARENTS, self.rest_joints(shape, gender).detach().cpu())

    def character(self, shape: Tensor | None = None, gender: str | int | None = None) -> Character:
        """One body as a character, without what its pose does to its shape."""
        if shape is not None:
            warn_of_shapes(shape)
        row = self._row(gender)
        skeleton = self.skeleton(shape, gender)
        vertices = self.rest_vertices(shape, gender).detach().cpu()
        return Character(skeleton, vertices, self.faces.cpu(), self.weights[row].cpu())


def warn_of_shapes(betas: Tensor) -> None:
    """Warn of shapes (..., 10) that no human has."""
    if bool((betas.abs() > _USUAL).any()):
        warnings.warn(f"A shape has numbers beyond {_USUAL}, where bodies are no longer human.", stacklevel=3)
