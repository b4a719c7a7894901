"""What a pose is asked to do: joints at places, turned so, or looking at something; and what answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from unveil.body.effector_lists import KINDS as KINDS
from unveil.body.effector_lists import LOOK_AT as LOOK_AT
from unveil.body.effector_lists import POSITION as POSITION
from unveil.body.effector_lists import ROTATION as ROTATION
from unveil.body.effector_lists import Row, read_effectors, whole_rotations, write_effector
from unveil.body.joints import GENDERS, JOINTS
from unveil.body.parametric import Body
from unveil.core.errors import ConfigError, ShapeError
from unveil.geometry import check_rotations, matrix_to_6d


@dataclass(frozen=True, eq=False)
class Effectors:
    """Some wishes for each of some poses, in any mixture.

    A position (0) wants a joint at a place; a rotation (1) wants it turned so in the world; a look-at (2) wants a direction in
    the joint's frame to point at a target. A weight of 0 makes an effector as if it were not there.

    Args:
        kind: 0, 1 or 2, (B, N).
        joint: number of the joint, (B, N).
        data: (B, N, 6): a position, metres, and three zeros; the first two columns of a world rotation; a target in the
            world, metres, and a unit direction in the joint's frame.
        tolerance: the standard deviation with which it is meant, (B, N), metres or radians, 0 or more.
        weight: how much it counts, (B, N), 0 or more; 1 is usual.

    Raises:
        ShapeError: the parts do not fit one another.
        ConfigError: an effector cannot be; it is named by its row and its place.

    Source: Oreshkin et al. (2022), arXiv:2106.01981, section 3.1; Voleti et al. (2022), arXiv:2208.08274.
    """

    kind: Tensor
    joint: Tensor
    data: Tensor
    tolerance: Tensor
    weight: Tensor

    def __post_init__(self) -> None:
        shape = self.kind.shape
        parts = (self.joint, self.tolerance, self.weight)
        if len(shape) != 2 or any(part.shape != shape for part in parts) or self.data.shape != (*shape, 6):
            raise ShapeError(
                f"Effectors got kinds {tuple(shape)}, joints {tuple(self.joint.shape)}, data {tuple(self.data.shape)}, "
                f"tolerances {tuple(self.tolerance.shape)} and weights {tuple(self.weight.shape)}; they must be (B, N), and "
                "data (B, N, 6)."
            )
        object.__setattr__(self, "kind", self.kind.long())
        object.__setattr__(self, "joint", self.joint.long())
        self._refuse((self.kind < 0) | (self.kind >= len(KINDS)), "has a kind that is none; those are 0, 1 and 2.")
        self._refuse((self.joint < 0) | (self.joint >= len(JOINTS)), f"has no joint of 0 to {len(JOINTS) - 1}.")
        self._refuse(~torch.isfinite(self.data).all(-1), "holds numbers that are not finite.")
        for name, amount in (("tolerance", self.tolerance), ("weight", self.weight)):
            self._refuse(
                ~((amount >= 0) & (amount < torch.inf)), f"has a {name} that is not a finite number, 0 or more."
            )
        object.__setattr__(self, "data", self._exact())

    def _refuse(self, wrong: Tensor, why: str) -> None:
        if wrong.any():
            row, place = wrong.nonzero()[0].tolist()
            raise ConfigError(f"Effector [{row}, {place}] {why}")

    def _exact(self) -> Tensor:
        """The data with exact rotations and unit directions."""
        turns, looks = self.kind == ROTATION, self.kind == LOOK_AT
        length = self.data[..., 3:].norm(dim=-1)
        self._refuse(looks & (length < 1e-8), "looks in a direction that is zero.")
        data = self.data
        if bool((looks & ((length - 1).abs() > 1e-5)).any()):
            unit = torch.cat([data[..., :3], data[..., 3:] / length.clamp_min(1e-8)[..., None]], -1)
            data = torch.where(looks[..., None], unit, data)
        if bool(turns.any()):
            exact = whole_rotations(data[turns], turns.nonzero())
            data = data if exact is data else data.index_put((turns,), exact)
        return data

    @classmethod
    def of(cls, items: Sequence[Mapping[str, Any]]) -> "Effectors":
        """The effectors of one pose from a list of plain objects, as a JSON file holds them: B = 1.

        Each has a "type", a "joint" (its name), and if it is not as usual a "tolerance" (0) and a "weight" (1). Besides that

        - a "position" has its "position", three metres, and may have "floor", by which the editor keeps it on the floor;
        - a "rotation" has one of "rotation" (3 x 3), "euler" (three degrees, about axes in the "order" given or XYZ),
          "quaternion" (w, x, y, z) or "six" (the first two columns), in the world;
        - a "look-at" has a "target", three metres, and a "direction" in the joint's frame, ahead unless told: [0, 0, 1].

        Raises:
            ConfigError: naming the first that is wrong by its place in the list; two of one type at one joint are wrong.
        """
        rows = read_effectors(items)
        return cls(
            torch.tensor([[row.kind for row in rows]]),
            torch.tensor([[row.joint for row in rows]]),
            torch.tensor([[row.data for row in rows]]),
            torch.tensor([[row.tolerance for row in rows]]),
            torch.tensor([[row.weight for row in rows]]),
        )

    @classmethod
    def of_pose(cls, kind: Tensor, joint: Tensor, positions: Tensor, rotations: Tensor) -> "Effectors":
        """Exact effectors taken from joints that are known.

        Args:
            kind: (N,) or (B, N).
            joint: (N,) or (B, N).
            positions: of all joints in the world, (B, 24, 3).
            rotations: of all joints in the world, (B, 24, 3, 3).

        Returns:
            Effectors of tolerance 0 and weight 1; a look-at aims ahead of the joint, at a target one metre away.
        """
        kind, joint = kind.expand(len(positions), -1), joint.expand(len(positions), -1)
        row = torch.arange(len(positions), device=positions.device)[:, None]
        place, turn = positions[row, joint], rotations[row, joint]  # (B, N, 3), (B, N, 3, 3)
        ahead = place.new_tensor([0.0, 0.0, 1.0]).expand_as(place)
        data = torch.cat([place, torch.zeros_like(place)], -1)
        data = torch.where((kind == ROTATION)[..., None], matrix_to_6d(turn), data)
        data = torch.where((kind == LOOK_AT)[..., None], torch.cat([place + turn[..., 2], ahead], -1), data)
        return cls(kind, joint, data, torch.zeros_like(data[..., 0]), torch.ones_like(data[..., 0]))

    @classmethod
    def stack(cls, parts: Sequence["Effectors"]) -> "Effectors":
        """Those of several, one under another; where one has fewer, effectors of weight 0 fill its rows up."""
        if not parts:
            raise ConfigError("There are no effectors to stack.")
        most = max(part.number for part in parts)
        whole = [part._filled(most) for part in parts]
        return cls(
            torch.cat([part.kind for part in whole]),
            torch.cat([part.joint for part in whole]),
            torch.cat([part.data for part in whole]),
            torch.cat([part.tolerance for part in whole]),
            torch.cat([part.weight for part in whole]),
        )

    def _filled(self, number: int) -> "Effectors":
        def fill(values: Tensor) -> Tensor:
            missing = values.new_zeros(len(values), number - self.number, *values.shape[2:])
            return torch.cat([values, missing], 1)

        return self._with(fill)

    def _with(self, change: Any) -> "Effectors":
        return replace(
            self,
            kind=change(self.kind),
            joint=change(self.joint),
            data=change(self.data),
            tolerance=change(self.tolerance),
            weight=change(self.weight),
        )

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def number(self) -> int:
        """N, how many each pose has, those of weight 0 included."""
        return self.kind.shape[1]

    def __getitem__(self, rows: slice | Tensor) -> "Effectors":
        """Those of some of the poses."""
        return self._with(lambda values: values[rows])

    def select(self, places: Sequence[int] | Tensor) -> "Effectors":
        """Some of the effectors, the same ones of every pose."""
        at = torch.as_tensor(places, device=self.kind.device)
        return self._with(lambda values: values[:, at])

    def to(self, device: torch.device | str) -> "Effectors":
        """The effectors on another device."""
        return self._with(lambda values: values.to(device))

    def centre(self) -> Tensor:
        """The mean of the positions that are asked for, by weight, (B, 3).

        Raises:
            ConfigError: a pose has no position of any weight.
        """
        weight = torch.where(self.kind == POSITION, self.weight, torch.zeros_like(self.weight))
        total = weight.sum(1)
        lacking = total <= 0
        if lacking.any():
            whose = f" of pose {int(lacking.nonzero()[0])}" if len(self) > 1 else ""
            raise ConfigError(
                f"The effectors{whose} hold no position, so nothing says where the body is. Add one; a position of the "
                "pelvis will do."
            )
        return (weight[..., None] * self.data[..., :3]).sum(1) / total[:, None]

    def plain(self, row: int = 0) -> list[dict[str, Any]]:
        """The effectors of one pose as `of` reads them, those of weight 0 left out."""
        columns = (self.kind, self.joint, self.data, self.tolerance, self.weight)
        rows = zip(*(values[row].tolist() for values in columns), strict=True)
        return [write_effector(Row(*values)) for values in rows if values[-1] > 0]


@dataclass(frozen=True, eq=False)
class Pose:
    """Poses of bodies of known shapes.

    Args:
        rotations: of the joints in their parents' frames, (B, 24, 3, 3).
        pelvis: where the first joint is, (B, 3), metres.
        betas: shapes, (B, 10).
        gender: numbers of the genders, (B,).
    """

    rotations: Tensor
    pelvis: Tensor
    betas: Tensor
    gender: Tensor

    def __post_init__(self) -> None:
        batch = len(self.rotations)
        if (
            self.rotations.shape != (batch, len(JOINTS), 3, 3)
            or self.pelvis.shape != (batch, 3)
            or self.betas.shape != (batch, 10)
            or self.gender.shape != (batch,)
        ):
            raise ShapeError(
                f"Poses got rotations {tuple(self.rotations.shape)}, pelvises {tuple(self.pelvis.shape)}, shapes "
                f"{tuple(self.betas.shape)} and genders {tuple(self.gender.shape)}; they need (B, 24, 3, 3), (B, 3), (B, 10) "
                "and (B,)."
            )

    @classmethod
    def rest(cls, body: Body, betas: Tensor, gender: Tensor) -> "Pose":
        """Bodies of the shapes (B, 10) and genders (B,) as they stand at rest."""
        upright = torch.eye(3, dtype=betas.dtype, device=betas.device).expand(len(betas), len(JOINTS), 3, 3)
        return cls(upright, body.rest_joints(betas, gender)[:, 0], betas, gender)

    def __len__(self) -> int:
        return len(self.rotations)

    def __getitem__(self, rows: slice | Tensor) -> "Pose":
        """Some of the poses."""
        return Pose(self.rotations[rows], self.pelvis[rows], self.betas[rows], self.gender[rows])

    def joints(self, body: Body) -> tuple[Tensor, Tensor]:
        """Where the joints are, (B, 24, 3), and how they are turned, (B, 24, 3, 3), in the world."""
        rot, positions = body.place(self.rotations, self.betas, self.gender, pelvis=self.pelvis)
        return positions, rot

    def to(self, device: torch.device | str) -> "Pose":
        """The poses on another device."""
        parts = (self.rotations, self.pelvis, self.betas, self.gender)
        return Pose(*(part.to(device) for part in parts))

    def checked(self) -> "Pose":
        """The poses, if they can be.

        Raises:
            ConfigError: a number is not finite, a matrix is no rotation, or a gender is none.
        """
        if not torch.isfinite(self.pelvis).all() or not torch.isfinite(self.betas).all():
            raise ConfigError("A pose's pelvis or shape holds numbers that are not finite.")
        if bool(((self.gender < 0) | (self.gender >= len(GENDERS))).any()):
            raise ConfigError(f"A pose's gender must be 0, 1 or 2: {', '.join(GENDERS)}.")
        return replace(self, rotations=check_rotations(self.rotations, "A pose's rotations"))


class PoseSolver(Protocol):
    """Whatever finds poses that do what effectors ask."""

    def solve(self, effectors: Effectors, betas: Tensor, gender: Tensor) -> Pose:
        """Poses of bodies of the shapes (B, 10) and genders (B,), one for each row of the effectors."""
        ...
