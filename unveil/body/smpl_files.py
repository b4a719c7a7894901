"""Official body files (SMPL, SMPL-H, SMPL-X) and our own, read without running anything of them."""

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unveil.body.array_files import read_fields
from unveil.body.arrays import SHAPES, BodyArrays
from unveil.body.joints import GENDERS, JOINTS, PARENTS, find_gender
from unveil.body.parametric import Body
from unveil.core.errors import DataError
from unveil.core.files import new_file

_GENDER_IN_NAME = {
    "male": re.compile(r"(?<![a-z])(?:male|m)(?![a-z])"),
    "female": re.compile(r"(?<![a-z])(?:female|f)(?![a-z])"),
    "neutral": re.compile(r"(?<![a-z])(?:neutral|n)(?![a-z])"),
}
_REQUIRED = ("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")
_LARGEST = 2 << 30
_BODY_JOINTS = 22  # the first joints are the same in all of the family
_MIDDLE_FINGERS = {24: (22, 23), 52: (25, 40), 55: (28, 43)}  # the left and the right hand, by the number of joints


def load_body(path: str | os.PathLike[str] | None = None, gender: str | int | None = None) -> Body:
    """Open a body: the embedded one, or official files that you have.

    Files of SMPL (.pkl), SMPL-H, SMPL-X (.npz) and those that `save_body` wrote are understood. A pickle is read by a reader
    that knows arrays only. Bodies with fingers or faces are reduced to the 24 joints: what a removed joint moved follows the
    nearest joint that stays.

    Args:
        path: a file, or a folder with files whose names tell their genders, such as SMPL_FEMALE.pkl or
            basicModel_f_lbs_10_207_0_v1.0.0.pkl; without it, the embedded body.
        gender: of a file that does not tell; of a folder, the only one that is wanted.

    Raises:
        DataError: there is nothing to read, or it is no body; the message names the file and what is wrong with it.
    """
    if path is None:
        return Body.embedded()
    place = Path(path).expanduser()
    wanted = None if gender is None else GENDERS[find_gender(gender)]
    if not place.is_dir():
        return Body(_read(place, wanted))
    found: dict[str, Path] = {}
    for file in sorted(place.iterdir()):
        known = _gender_of(file.name) if file.suffix.lower() in (".pkl", ".npz") else None
        if known and wanted in (None, known):
            if known in found:
                raise DataError(
                    f"'{place}' holds two {known} bodies, {found[known].name} and {file.name}; name one file."
                )
            found[known] = file
    if not found:
        asked = "body file" if wanted is None else f"{wanted} body file"
        raise DataError(
            f"'{place}' holds no {asked} (.pkl or .npz) whose name tells its gender, such as SMPL_NEUTRAL.pkl; name the file "
            "itself, or leave the path out for the embedded body."
        )
    arrays: dict[str, BodyArrays] = {}
    for known, file in found.items():
        arrays.update(_read(file, known))
    return Body(arrays)


def save_body(body: Body, path: str | os.PathLike[str]) -> Path:
    """Write a body's arrays as .npz, which needs no special reader: the way from an official pickle to a plain file."""
    place = Path(path).expanduser().with_suffix(".npz")
    shared = {"f": body.faces.cpu().numpy(), "genders": np.array(body.genders)}
    arrays: dict[str, np.ndarray] = dict(shared)
    for row, gender in enumerate(body.genders):
        arrays[f"{gender}.template"] = body.template[row].cpu().numpy()
        arrays[f"{gender}.shape_directions"] = body.directions[row].cpu().numpy()
        arrays[f"{gender}.regressor"] = body.regressor[row].cpu().numpy()
        arrays[f"{gender}.weights"] = body.weights[row].cpu().numpy()
        if body.pose_directions is not None:
            vertices = len(arrays[f"{gender}.template"])
            arrays[f"{gender}.pose_directions"] = body.pose_directions[row].T.reshape(vertices, 3, -1).cpu().numpy()
    with new_file(place, force=True) as file, file.open("wb") as opened:
        np.savez_compressed(opened, allow_pickle=False, **arrays)
    return place


def _gender_of(name: str) -> str | None:
    known = [gender for gender, pattern in _GENDER_IN_NAME.items() if pattern.search(name.lower())]
    return known[0] if len(known) == 1 else None


def _read(path: Path, gender: str | None) -> dict[str, BodyArrays]:
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError("it is larger than any body")
        fields = read_fields(path.read_bytes())
        if not isinstance(fields, Mapping):
            raise DataError("it holds no named arrays")
        if "genders" in fields:
            return _own(fields)
        told = _text(fields.get("gender")) or gender or _gender_of(path.name)
        return {GENDERS[find_gender(told)] if told else "neutral": _normalise(fields)}
    except OSError as error:
        raise DataError(f"The body '{path}' cannot be read: {error.strerror or error}.") from None
    except DataError as error:
        raise DataError(f"'{path}' is no body that can be read: {str(error).rstrip('.')}.") from None


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.item() if value.size == 1 else ""
    return value.decode("latin1") if isinstance(value, bytes) else str(value or "")


def _own(fields: Mapping[str, Any]) -> dict[str, BodyArrays]:
    try:
        return {
            str(gender): BodyArrays(
                template=fields[f"{gender}.template"],
                shape_directions=fields[f"{gender}.shape_directions"],
                pose_directions=fields.get(f"{gender}.pose_directions"),
                regressor=fields[f"{gender}.regressor"],
                weights=fields[f"{gender}.weights"],
                faces=fields["f"],
            )
            for gender in np.atleast_1d(fields["genders"])
        }
    except KeyError as error:
        raise DataError(f"it has no {error}") from None


def _normalise(fields: Mapping[str, Any]) -> BodyArrays:
    missing = [name for name in _REQUIRED if name not in fields]
    if missing:
        raise DataError(f"it has no {', '.join(missing)}")
    number = {name: np.asarray(fields[name]) for name in (*_REQUIRED, "posedirs") if name in fields}
    for name, array in number.items():
        if array.dtype == object or array.dtype.kind not in "fiu":
            raise DataError(f"its {name} are no numbers")
    template = number["v_template"].astype(np.float32)
    regressor = number["J_regressor"].astype(np.float32)
    if template.ndim != 2 or regressor.ndim != 2:
        raise DataError(f"its v_template and J_regressor have the shapes {template.shape} and {regressor.shape}")
    if regressor.shape[0] == len(template):
        regressor = regressor.T
    parents = number["kintree_table"].reshape(2, -1)[0].astype(np.int64)
    parents[0] = -1  # written as the largest unsigned number
    weights = number["weights"].astype(np.float32)
    pose = number["posedirs"].astype(np.float32) if "posedirs" in number else None
    joints = len(parents)
    if joints not in _MIDDLE_FINGERS:
        raise DataError(f"it has {joints} joints; SMPL has 24, SMPL-H 52 and SMPL-X 55")
    if weights.shape != (len(template), joints) or regressor.shape != (joints, len(template)):
        raise DataError(f"its weights {weights.shape} and J_regressor {regressor.shape} do not fit {joints} joints")
    if (parents[1:_BODY_JOINTS] != PARENTS[1:_BODY_JOINTS]).any() or (parents[1:] >= np.arange(1, joints)).any():
        raise DataError("its joints hang together in another way than SMPL's")
    if joints != len(JOINTS):
        regressor, weights = _reduced(parents, regressor, weights)
        # Of the pose's directions those of the body's joints stay; the fingers' are those of a flat hand, 0.
        pose = None if pose is None else _padded(pose.reshape(len(template), 3, -1)[..., : 9 * (_BODY_JOINTS - 1)], 207)
    return BodyArrays(template, _ten(number["shapedirs"]), pose, regressor, weights, number["f"].astype(np.int64))


def _reduced(parents: np.ndarray, regressor: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fingers and faces follow the nearest joint that stays; a hand is where its middle finger begins."""
    hands = _MIDDLE_FINGERS[len(parents)]
    stays = {joint: joint for joint in range(_BODY_JOINTS)} | dict(zip(hands, (22, 23), strict=True))
    kept = np.zeros((len(weights), len(JOINTS)), np.float32)
    for joint in range(len(parents)):
        above = joint
        while above not in stays:
            above = int(parents[above])
        kept[:, stays[above]] += weights[:, joint]
    return np.concatenate([regressor[:_BODY_JOINTS], regressor[list(hands)]]), kept


def _ten(shapes: np.ndarray) -> np.ndarray:
    shapes = shapes.astype(np.float32)
    if shapes.ndim != 3:
        raise DataError(f"its shapedirs have the shape {shapes.shape}; they must be (vertices, 3, directions)")
    if shapes.shape[2] < SHAPES:
        warnings.warn(f"The body has {shapes.shape[2]} directions of shape; those missing are put to 0.", stacklevel=2)
    return _padded(shapes[..., :SHAPES], SHAPES)


def _padded(array: np.ndarray, length: int) -> np.ndarray:
    return np.pad(array, [(0, 0), (0, 0), (0, length - array.shape[2])])
