"""Estimates in the files that public estimators of SMPL parameters write."""

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unveil.body.array_files import DAMAGED, read_fields
from unveil.body.estimation.estimate import PoseEstimate
from unveil.body.joints import GENDERS, JOINTS, find_gender
from unveil.body.parametric import Body
from unveil.core.errors import DataError, UnveilError
from unveil.geometry import axis_angle_to_matrix, check_rotations

_ALIASES = {
    "pose": ("smpl_thetas", "poses", "pose", "thetas", "theta", "full_pose"),
    "body": ("body_pose",),
    "root": ("global_orient", "root_orient"),
    "betas": ("smpl_betas", "betas", "shape"),
    "trans": ("cam_trans", "transl", "trans", "translation"),
    "score": ("center_confs", "score", "scores"),
}
_LARGEST = 1 << 30
_DEPTH = 4  # dicts within dicts, by video, by frame, by person


class NoPosesError(DataError):
    """A file in which nobody's pose is."""


def read_estimates(path: str | os.PathLike[str], body: Body, *, world: bool = False) -> list[PoseEstimate]:
    """Read the people of a file of SMPL parameters.

    Understood are .npz files (ROMP's and BEV's `results`, or named arrays), .pkl and .json: poses as axis-angles, (72,) or
    (24, 3), or matrices, (24, 3, 3), whole or as root and body; shapes; places. A pickle is read by a reader that knows arrays
    only. Estimators have Y down and Z away from the camera; this is turned so that Y is up and the camera looks along -Z.

    Args:
        path: the file.
        body: whose rest pose tells where the pelvis is.
        world: the file is already in our axes.

    Returns:
        One estimate for each person, in the file's order.

    Raises:
        DataError: the file is damaged, or asks for more than arrays.
        NoPosesError: it holds something else.
    """
    place = Path(path).expanduser()
    try:
        if place.stat().st_size > _LARGEST:
            raise DataError("it is larger than a gigabyte")
        data = place.read_bytes()
        value = json.loads(data) if place.suffix.lower() == ".json" else read_fields(data)
        found = [one for person in _people(value, _DEPTH) for one in _estimates(person, body, world)]
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    except (UnveilError, RecursionError, *DAMAGED) as error:
        raise DataError(f"'{path}' holds no estimates that can be read: {str(error).rstrip('.')}.") from None
    if not found:
        names = ", ".join(_ALIASES["pose"])
        raise NoPosesError(f"'{path}' holds no poses; they are looked for under {names} and body_pose.")
    return found


def _people(value: Any, depth: int) -> list[Mapping[str, Any]]:
    """The dicts that hold a pose, however deep they lie."""
    if isinstance(value, Mapping):
        if any(name in value for name in (*_ALIASES["pose"], *_ALIASES["body"])):
            return [value]
        value = list(value.values())
    if not isinstance(value, list | tuple) or depth == 0:
        return []
    return [person for one in value for person in _people(one, depth - 1)]


def _field(person: Mapping[str, Any], kind: str) -> Tensor | None:
    name = next((name for name in _ALIASES[kind] if name in person), None)
    if name is None or person[name] is None:
        return None
    array = np.asarray(person[name])
    if array.dtype.kind not in "fiu":
        raise DataError(f"its {name} are no numbers")
    with np.errstate(over="ignore"):  # what is too large for a float is not finite then
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"its {name} are not all finite")
    return torch.from_numpy(array)


def _estimates(person: Mapping[str, Any], body: Body, world: bool) -> list[PoseEstimate]:
    whole = _field(person, "pose")
    if whole is None:
        below, root = _field(person, "body"), _field(person, "root")
        assert below is not None
        rot = _matrices(below, len(JOINTS) - 1)
        if root is not None and root.shape == (3, 3) and len(rot) == 1:
            root = root[None]  # one matrix, not three axis-angles
        first = torch.eye(3).expand(len(rot), 1, 3, 3) if root is None else _matrices(root, 1)
        if len(first) != len(rot):
            raise DataError(f"it holds {len(rot)} poses and {len(first)} turns of their roots")
        rot = torch.cat([first, rot], 1)
    else:
        rot = _matrices(whole, len(JOINTS))
    betas, trans, score = (_field(person, kind) for kind in ("betas", "trans", "score"))
    number = len(rot)
    betas = torch.zeros(number, 10) if betas is None else _rows(betas, number, "betas")
    if betas.shape[1] < 10:
        raise DataError(f"its shapes have {betas.shape[1]} numbers; a body's shape has 10")
    if bool(betas[:, 10:].any()):
        warnings.warn(
            f"Shapes of {betas.shape[1]} numbers were read; those after ten, such as how much of a child it is, are left out.",
            stacklevel=2,
        )
    betas = betas[:, :10]
    trans = torch.zeros(number, 3) if trans is None else _rows(trans, number, "trans")
    if trans.shape[1] != 3:
        raise DataError(f"its places have {trans.shape[1]} numbers; they must have 3")
    scores = torch.zeros(number, 1) if score is None else _rows(score.reshape(-1, 1), number, "scores")
    told = np.asarray(person.get("gender", "neutral"))
    if told.size != 1:
        raise DataError(f"it holds {told.size} genders at one place; give one")
    gender = GENDERS[find_gender(str(told.item()))]
    own = gender if gender in body.genders else body.genders[0]
    pelvis = body.rest_joints(betas, own)[:, 0] + trans
    if not world:
        turn = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        pelvis = pelvis @ turn
        rot = torch.cat([turn @ rot[:, :1], rot[:, 1:]], 1)
    return [PoseEstimate(rot[i], pelvis[i], betas[i], own, score=float(scores[i])) for i in range(number)]


def _rows(values: Tensor, number: int, name: str) -> Tensor:
    rows = values.reshape(1, -1) if values.ndim < 2 else values.reshape(len(values), -1)
    if len(rows) not in (1, number):
        raise DataError(f"it holds {number} poses and {len(rows)} {name}")
    return rows.expand(number, -1)


def _matrices(values: Tensor, joints: int) -> Tensor:
    """Axis-angles or matrices of so many joints, of one person or several -> (N, joints, 3, 3)."""
    if values.shape[-2:] == (3, 3) and values.numel() % (9 * joints) == 0 and values.ndim >= (4 if joints > 1 else 3):
        return check_rotations(values.reshape(-1, joints, 3, 3), "The estimated rotations")
    if values.shape == (joints, 3, 3):
        return check_rotations(values[None], "The estimated rotations")
    if values.numel() % (3 * joints) == 0 and values.shape[-1] in (3, 3 * joints):
        return axis_angle_to_matrix(values.reshape(-1, joints, 3))
    if joints > 1 and values.shape[-1] == 3 * (joints - 2):  # SMPL-H and SMPL-X know no hands among the body's joints
        vectors = values.reshape(-1, joints - 2, 3)
        return axis_angle_to_matrix(torch.cat([vectors, torch.zeros(len(vectors), 2, 3)], 1))
    raise DataError(
        f"a pose has the shape {tuple(values.shape)}; it must be axis-angles or matrices of {joints} joints"
    )
