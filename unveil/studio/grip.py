"""What a person holds a body by: one effector, as the editor keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import torch

from unveil.body.effector_lists import KINDS, LOOK_AT, POSITION, ROTATION, Row, read_effectors, write_effector
from unveil.body.joints import JOINTS, MIRROR
from unveil.core.errors import ConfigError
from unveil.core.numbers import check_amount
from unveil.geometry import matrix_from_6d, matrix_to_6d

FARTHEST = 100.0
"""Metres from the origin beyond which nothing can be put."""
_STIFFEST = 1000.0
_AHEAD = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Grip:
    """One effector of one body; it never changes, a new one takes its place.

    Args:
        kind: 0, 1 or 2: a position, a rotation, a look-at.
        joint: number of the joint.
        data: six numbers as `Effectors` has them, in the world.
        tolerance: metres or radians that it may be missed by.
        weight: how much it counts; 0 is as if it were not there.
        on_floor: whether the joint stays as high above the floor as it is when it stands on it.

    Raises:
        ConfigError: a number cannot be.
    """

    kind: int
    joint: int
    data: tuple[float, ...]
    tolerance: float = 0.0
    weight: float = 1.0
    on_floor: bool = False

    def __post_init__(self) -> None:
        if self.kind not in (POSITION, ROTATION, LOOK_AT) or not 0 <= self.joint < len(JOINTS):
            raise ConfigError(f"An effector got the kind {self.kind} and the joint {self.joint}; there are none such.")
        if len(self.data) != 6 or not all(isfinite(number) for number in self.data):
            raise ConfigError(f"{self.title} got {self.data}; it needs six finite numbers.")
        if self.kind != ROTATION and max(abs(number) for number in self.data[:3]) > FARTHEST:
            raise ConfigError(f"{self.title} is more than {FARTHEST:g} m away; bring it nearer.")
        for name, amount in (("tolerance", self.tolerance), ("weight", self.weight)):
            check_amount(f"The {name} of {self.title}", amount)
            if amount > _STIFFEST:
                raise ConfigError(f"The {name} of {self.title} is {amount:g}; it can be up to {_STIFFEST:g}.")

    @property
    def title(self) -> str:
        """What it is called on the page, such as "left wrist position"."""
        return f"{JOINTS[self.joint].replace('_', ' ')} {KINDS[self.kind]}"

    @property
    def key(self) -> tuple[int, int]:
        """The joint and the kind, which no two effectors of a body share."""
        return self.joint, self.kind

    @property
    def place(self) -> tuple[float, float, float]:
        """Where it is, or its target, metres; of a rotation this means nothing."""
        return self.data[0], self.data[1], self.data[2]

    def at(self, place: Sequence[float]) -> "Grip":
        """The same elsewhere: another position, or another target to look at."""
        if self.kind == ROTATION:
            raise ConfigError(f"{self.title} is not at a place; it is turned.")
        return replace(self, data=(*(float(number) for number in place), *self.data[3:]))

    def turned(self, rotation: torch.Tensor) -> "Grip":
        """The same rotation effector with another world rotation, (3, 3)."""
        if self.kind != ROTATION:
            raise ConfigError(f"{self.title} is not turned; it is at a place.")
        return replace(self, data=tuple(matrix_to_6d(rotation.detach().double()).tolist()))

    def snapped(self, positions: torch.Tensor, rotations: torch.Tensor) -> "Grip":
        """The same asking for what is so already, of joints at positions (24, 3), turned so, (24, 3, 3)."""
        found = grip_at(self.kind, self.joint, positions, rotations)
        if self.kind == LOOK_AT:
            direction = torch.tensor(self.data[3:])
            target = positions[self.joint] + rotations[self.joint] @ direction
            found = replace(found, data=(*target.tolist(), *self.data[3:]))
        return replace(found, tolerance=self.tolerance, weight=self.weight)

    def rotation(self) -> torch.Tensor:
        """The world rotation that a rotation effector asks, (3, 3)."""
        return matrix_from_6d(torch.tensor(self.data, dtype=torch.float64)).float()

    def mirrored(self, x: float) -> "Grip":
        """What it asks of the other side, seen in a mirror that stands at an x."""
        signs = (1.0, -1.0, -1.0, -1.0, 1.0, 1.0)  # S R S leaves what is even in x
        if self.kind == ROTATION:
            data = tuple(sign * number for sign, number in zip(signs, self.data, strict=True))
        else:
            data = (2 * x - self.data[0], *self.data[1:3], -self.data[3], *self.data[4:])
        return replace(self, joint=MIRROR[self.joint], data=data)

    def plain(self) -> dict[str, Any]:
        """The object that stands for it in a JSON file."""
        return write_effector(self.row())

    def row(self) -> Row:
        """The same as lists of effectors have it."""
        return Row(self.kind, self.joint, self.data, self.tolerance, self.weight, self.on_floor)

    @classmethod
    def of(cls, row: Row) -> "Grip":
        """The effector of a list."""
        data = tuple(float(number) for number in row.data)
        return cls(row.kind, row.joint, data, row.tolerance, row.weight, row.floor)


def grip_at(kind: int, joint: int, positions: torch.Tensor, rotations: torch.Tensor) -> Grip:
    """An effector that asks for what is already so.

    Args:
        kind: of effector; a look-at aims ahead of the joint, at a target one metre away.
        joint: number of the joint.
        positions: of the joints, (24, 3).
        rotations: of the joints in the world, (24, 3, 3).
    """
    if kind == POSITION:
        return Grip(kind, joint, (*positions[joint].tolist(), 0.0, 0.0, 0.0))
    if kind == ROTATION:
        return Grip(kind, joint, tuple(matrix_to_6d(rotations[joint].double()).tolist()))
    target = positions[joint] + rotations[joint, :, 2]
    return Grip(kind, joint, (*target.tolist(), *_AHEAD))


def read_grips(items: Sequence[Mapping[str, Any]]) -> tuple[Grip, ...]:
    """Effectors of a JSON file.

    Raises:
        ConfigError: naming the first that is wrong.
    """
    return tuple(map(Grip.of, read_effectors(items))) if items else ()
