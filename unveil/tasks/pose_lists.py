"""Effectors, and whose pose they are of, in JSON files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError, DataError
from unveil.core.json_file import read_json

if TYPE_CHECKING:
    from unveil.body import Effectors, Pose

_MOST = 1000.0  # numbers of a shape


@dataclass(frozen=True)
class Wish:
    """What a file asks.

    Attributes:
        effectors: a list of plain objects; see `unveil.body.Effectors.of`.
        betas: the shape, if the file tells.
        gender: if the file tells.
    """

    effectors: list[dict[str, Any]]
    betas: tuple[float, ...] | None = None
    gender: str | None = None


def read_wish(path: str | Path) -> Wish:
    """Read a list of effectors, or an object with "effectors" and, if wanted, "betas" and "gender".

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    value = read_json(path, "list of effectors")
    whole = value if isinstance(value, Mapping) else {"effectors": value}
    effectors = whole.get("effectors")
    if not isinstance(effectors, list):
        raise DataError(
            f'\'{path}\' holds no list of effectors, such as [{{"type": "position", "joint": "head", ...}}].'
        )
    betas, gender = whole.get("betas"), whole.get("gender")
    if betas is not None:
        if not isinstance(betas, list) or not all(isinstance(x, int | float) for x in betas):
            raise DataError(f"'{path}': betas must be a list of numbers.")
        betas = shape_numbers(betas)
    if gender is not None and not isinstance(gender, str):
        raise DataError(f"'{path}': gender must be male, female or neutral.")
    return Wish(effectors, betas, gender)


def shape_numbers(betas: Sequence[float] | None) -> tuple[float, ...]:
    """Ten numbers of a shape; those not given are 0.

    Raises:
        ConfigError: there are more than ten, or one is no human's by far.
    """
    given = tuple(betas or ())
    if len(given) > 10:
        raise ConfigError(f"A shape is ten numbers at most; {len(given)} were given.")
    if not all(abs(x) < _MOST for x in given):
        raise ConfigError(
            f"A shape's numbers must be finite and less than {_MOST:.0f}; those of people are from -5 to 5."
        )
    return tuple(float(x) for x in given) + (0.0,) * (10 - len(given))


def plain_pose(pose: "Pose", effectors: "Effectors | None", joints: Any) -> dict[str, Any]:
    """One pose as plain values for JSON; `joints` are where its joints are, (24, 3)."""
    from unveil.body import GENDERS, JOINTS

    return {
        "gender": GENDERS[int(pose.gender[0])],
        "betas": pose.betas[0].tolist(),
        "effectors": [] if effectors is None else effectors.plain(),
        "pose": {"rotations": pose.rotations[0].tolist(), "pelvis": pose.pelvis[0].tolist()},
        "joints": dict(zip(JOINTS, joints.tolist(), strict=True)),
    }
