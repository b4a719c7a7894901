"""A body, its pose and what holds it in a JSON file; the commands and the editor write and read this one form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unveil.body.effector_lists import POSITION, ROTATION, Row, read_effectors, write_effector
from unveil.body.effectors import Effectors, Pose
from unveil.body.joints import GENDERS, find_gender
from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.core.numbers import check_amount, shape_numbers


@dataclass(frozen=True, eq=False)
class PoseRecord:
    """What a file tells of one body; what it does not tell is None.

    Args:
        effectors: what holds the body, in metres of the scene that it stands in.
        betas: its shape, ten numbers.
        gender: male, female or neutral.
        scale: how many times its own size it stands in the scene.
        rotations: of its joints in their parents' frames, (24, 3, 3).
        pelvis: where its first joint is, (3,), metres of the body in its own size.
    """

    effectors: tuple[Row, ...] = ()
    betas: tuple[float, ...] | None = None
    gender: str | None = None
    scale: float | None = None
    rotations: Tensor | None = None
    pelvis: Tensor | None = None

    @classmethod
    def of(cls, pose: Pose, effectors: Sequence[Row] = (), scale: float = 1.0) -> "PoseRecord":
        """What there is to tell of one pose, and of the effectors in the scene."""
        betas, gender = tuple(pose.betas[0].tolist()), GENDERS[int(pose.gender[0])]
        return cls(tuple(effectors), betas, gender, scale, pose.rotations[0], pose.pelvis[0])

    @classmethod
    def read(cls, content: Any, name: str) -> "PoseRecord":
        """Understand a list of effectors, or an object with any of "effectors", "betas", "gender", "scale" and "pose".

        Args:
            content: of the JSON file; what else an object holds is not read.
            name: of the file, for the message.

        Raises:
            DataError: one of them is wrong, which is named.
        """
        whole = content if isinstance(content, Mapping) else {"effectors": content}
        whole = {key: value for key, value in whole.items() if value is not None}
        try:
            items = whole.get("effectors", [])
            rotations, pelvis = (None, None) if "pose" not in whole else _read_pose(whole["pose"])
            return cls(
                () if items == [] else tuple(read_effectors(items)),
                _read_betas(whole["betas"]) if "betas" in whole else None,
                GENDERS[find_gender(whole["gender"])] if "gender" in whole else None,
                _read_scale(whole["scale"]) if "scale" in whole else None,
                rotations,
                pelvis,
            )
        except (ConfigError, ShapeError, OverflowError, RuntimeError, TypeError, ValueError) as error:
            raise DataError(f"{name} holds no effectors or pose that can be read: {str(error).rstrip('.')}.") from None

    def plain(self) -> dict[str, Any]:
        """The same as plain values, as `read` takes them."""
        whole: dict[str, Any] = {"gender": self.gender, "betas": self.betas and list(self.betas), "scale": self.scale}
        whole = {name: value for name, value in whole.items() if value is not None}
        whole["effectors"] = [write_effector(row) for row in self.effectors]
        if self.rotations is not None and self.pelvis is not None:
            whole["pose"] = {"rotations": self.rotations.tolist(), "pelvis": self.pelvis.tolist()}
        return whole

    def pose(self) -> Pose | None:
        """The pose, B = 1, of an average and neutral body where the file does not tell; None if there is none."""
        if self.rotations is None or self.pelvis is None:
            return None
        betas = torch.tensor([self.betas or shape_numbers(None)])
        gender = torch.tensor([find_gender(self.gender or "neutral")])
        return Pose(self.rotations[None], self.pelvis[None], betas, gender)


def effectors_of(rows: Sequence[Row], scale: float = 1.0) -> Effectors:
    """Effectors of a scene as those of one pose, B = 1, of a body in its own size.

    Args:
        rows: in metres of the scene.
        scale: how many times its own size the body stands there.

    Raises:
        ConfigError: there are none.
    """
    if not rows:
        raise ConfigError("There are no effectors; give one position at least.")
    data = torch.tensor([row.data for row in rows], dtype=torch.float64)
    kind = torch.tensor([row.kind for row in rows])
    tolerance = torch.tensor([row.tolerance for row in rows], dtype=torch.float64)
    data[kind != ROTATION, :3] /= scale
    tolerance[kind == POSITION] /= scale
    joint, weight = torch.tensor([row.joint for row in rows]), torch.tensor([row.weight for row in rows]).float()
    return Effectors(kind[None], joint[None], data.float()[None], tolerance.float()[None], weight[None])


def rows_of(effectors: Effectors, scale: float = 1.0, floor: Sequence[int] = ()) -> tuple[Row, ...]:
    """The effectors of one pose in metres of the scene, those of weight 0 left out.

    Args:
        effectors: of a body in its own size, B = 1.
        scale: how many times that it stands in the scene.
        floor: numbers of the joints that are kept on the floor.
    """
    columns = (effectors.kind, effectors.joint, effectors.data, effectors.tolerance, effectors.weight)
    rows = []
    for kind, joint, data, tolerance, weight in zip(*(values[0].tolist() for values in columns), strict=True):
        place = data[:3] if kind == ROTATION else [scale * x for x in data[:3]]
        if weight > 0:
            far = scale * tolerance if kind == POSITION else tolerance
            rows.append(Row(kind, joint, [*place, *data[3:]], far, weight, kind == POSITION and joint in floor))
    return tuple(rows)


def _read_betas(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not all(isinstance(x, int | float) for x in value):
        raise ConfigError("betas must be a list of numbers")
    return shape_numbers(value)


def _read_scale(value: Any) -> float:
    check_amount("scale", value)
    if value == 0:
        raise ConfigError("scale is 0; it must be a positive number, 1 for a body of its own size.")
    return float(value)


def _read_pose(value: Any) -> tuple[Tensor, Tensor]:
    if not isinstance(value, Mapping) or not {"rotations", "pelvis"} <= value.keys():
        raise ConfigError("a pose has rotations and a pelvis")
    rotations, pelvis = (torch.tensor(value[name], dtype=torch.float32) for name in ("rotations", "pelvis"))
    pose = Pose(rotations[None], pelvis[None], torch.zeros(1, 10), torch.tensor([0])).checked()
    return pose.rotations[0], pose.pelvis[0]
