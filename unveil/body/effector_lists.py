"""Effectors as a person writes them: a list of plain objects, as JSON holds it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from math import isfinite, radians
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unveil.body.joints import JOINTS, find_joint
from unveil.core.errors import ConfigError
from unveil.geometry import check_rotations, euler_to_matrix, matrix_from_6d, matrix_to_6d, quaternion_to_matrix

POSITION, ROTATION, LOOK_AT = 0, 1, 2
KINDS = ("position", "rotation", "look-at")
"""The names of the kinds, in the order of their numbers."""

CLOSEST = 1e-4
"""Metres from a joint within which a target gives it no direction to look in."""

_TURNS = {"rotation": 9, "euler": 3, "quaternion": 4, "six": 6}
_KEYS = {
    "position": ("position", "floor"),
    "rotation": (*_TURNS, "order"),
    "look-at": ("target", "direction"),
}
_COMMON = ("type", "joint", "tolerance", "weight")


class Row(NamedTuple):
    """One effector."""

    kind: int
    joint: int
    data: Sequence[float]  # six numbers
    tolerance: float
    weight: float
    floor: bool = False  # whether the joint is kept as high above the floor as it is when it rests there


def read_effectors(items: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Understand a list of effectors.

    Raises:
        ConfigError: naming the first that is wrong by its place in the list, counted from 0.
    """
    if isinstance(items, str | Mapping) or not isinstance(items, Sequence):
        raise ConfigError('Effectors are a list of objects such as {"type": "position", "joint": "head", ...}.')
    if not items:
        raise ConfigError("There are no effectors; give one position at least.")
    rows: list[Row] = []
    seen: dict[tuple[int, int], int] = {}
    for place, item in enumerate(items):
        try:
            row = _read(item)
        except ConfigError as error:
            raise ConfigError(f"Effector {place}: {error}") from None
        first = seen.setdefault((row.kind, row.joint), place)
        if first != place:
            raise ConfigError(
                f"Effectors {first} and {place} both give a {KINDS[row.kind]} to the joint {JOINTS[row.joint]}; keep one."
            )
        rows.append(row)
    for place, row in enumerate(rows):
        at = seen.get((POSITION, row.joint))
        if row.kind == LOOK_AT and at is not None:
            away = torch.dist(torch.tensor(row.data[:3]), torch.tensor(rows[at].data[:3]))
            if away < CLOSEST:
                raise ConfigError(
                    f"Effector {place}: the target is where effector {at} puts the {JOINTS[row.joint]} itself; move it away."
                )
    return rows


def write_effector(row: Row) -> dict[str, Any]:
    """The plain object of an effector; what every effector has unless told is left out."""
    item: dict[str, Any] = {"type": KINDS[row.kind], "joint": JOINTS[row.joint]}
    if row.kind == POSITION:
        item["position"] = list(row.data[:3])
    elif row.kind == ROTATION:
        item["six"] = list(row.data)
    else:
        item |= {"target": list(row.data[:3]), "direction": list(row.data[3:])}
    item |= {"tolerance": row.tolerance} if row.tolerance else {}
    return item | ({"weight": row.weight} if row.weight != 1 else {}) | ({"floor": True} if row.floor else {})


def _read(item: Mapping[str, Any]) -> Row:
    if not isinstance(item, Mapping):
        raise ConfigError(f'{item!r} is no object; write {{"type": "position", "joint": "head", ...}}.')
    kind = _kind(item.get("type"))
    known = (*_COMMON, *_KEYS[KINDS[kind]])
    for key in item:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            meant = f"did you mean '{near[0]}'?" if near else f"it may have {', '.join(known)}."
            raise ConfigError(f"a {KINDS[kind]} has no '{key}'; {meant}")
    joint = item.get("joint")
    if isinstance(joint, str):
        number = find_joint(joint)
    elif isinstance(joint, int) and not isinstance(joint, bool) and 0 <= joint < len(JOINTS):
        number = joint
    else:
        raise ConfigError(f"'joint' is {joint!r}; it must be a name such as 'left_wrist', or a number from 0 to 23.")
    amounts = []
    for key, usual in (("tolerance", 0.0), ("weight", 1.0)):
        amount = item.get(key, usual)
        if not _is_number(amount) or amount < 0:
            raise ConfigError(f"'{key}' is {amount!r}; it must be a finite number, 0 or more.")
        amounts.append(float(amount))
    floor = item.get("floor", False)
    if not isinstance(floor, bool):
        raise ConfigError(f"'floor' is {floor!r}; it must be true or false.")
    if kind == POSITION:
        data = [*_numbers(item, "position", 3), 0.0, 0.0, 0.0]
    elif kind == ROTATION:
        data = matrix_to_6d(_rotation(item)).tolist()
    else:
        direction = torch.tensor(_numbers({"direction": [0, 0, 1]} | dict(item), "direction", 3), dtype=torch.float64)
        if direction.norm() < 1e-8:
            raise ConfigError("'direction' is zero; it must point somewhere in the joint's frame, as [0, 0, 1] ahead.")
        data = [*_numbers(item, "target", 3), *(direction / direction.norm()).tolist()]
    tolerance, weight = amounts
    return Row(kind, number, data, tolerance, weight, floor)


def _kind(name: Any) -> int:
    plain = name.strip().lower().replace("_", "-").replace("lookat", "look-at") if isinstance(name, str) else name
    if plain in KINDS:
        return KINDS.index(plain)
    near = get_close_matches(str(plain), KINDS, n=1)
    meant = f"did you mean '{near[0]}'?" if near else f"it must be {', '.join(KINDS[:-1])} or {KINDS[-1]}."
    raise ConfigError(f"'type' is {name!r}; {meant}")


def _rotation(item: Mapping[str, Any]) -> Tensor:
    given = [key for key in _TURNS if key in item]
    if len(given) != 1:
        raise ConfigError(
            f"a rotation is given by {' and '.join(given) or 'nothing'}; give one of rotation (3 x 3), euler (degrees), "
            "quaternion (w, x, y, z) or six (the first two columns)."
        )
    key = given[0]
    numbers = torch.tensor(_numbers(item, key, _TURNS[key]), dtype=torch.float64)
    if key == "euler":
        return euler_to_matrix(numbers * radians(1), _order(item))
    if "order" in item:
        raise ConfigError("'order' belongs to 'euler' only.")
    if key == "rotation":
        return check_rotations(numbers.reshape(3, 3), "The nine numbers")
    if key == "quaternion":
        if abs(float(numbers.norm()) - 1) > 1e-2:
            raise ConfigError(f"'quaternion' has the length {float(numbers.norm()):.3g}; it must be 1.")
        return quaternion_to_matrix(numbers)
    return check_rotations(_columns(numbers), "The six numbers")


def _columns(six: Tensor) -> Tensor:
    """The matrix of the first two columns and their cross product, not made right in any way: (..., 6) -> (..., 3, 3)."""
    first, second = six[..., :3], six[..., 3:]
    return torch.stack([first, second, torch.linalg.cross(first, second, dim=-1)], -1)


def whole_rotations(six: Tensor, places: Tensor) -> Tensor:
    """Six numbers each, (M, 6), made those of exact rotations.

    Raises:
        ConfigError: naming, by its row of `places` (M, k), the first that is no rotation's, or too far from one.
    """
    matrix = _columns(six)
    identity = torch.eye(3, dtype=six.dtype, device=six.device)
    error = (matrix.transpose(-1, -2) @ matrix - identity).abs().amax((-1, -2))
    wrong = ~(error <= 1e-2)
    if wrong.any():
        place = ", ".join(str(int(i)) for i in places[int(wrong.nonzero()[0])])
        raise ConfigError(f"Effector [{place}] is a rotation whose two columns are not perpendicular and of length 1.")
    return matrix_to_6d(matrix_from_6d(six)) if bool((error > 1e-5).any()) else six


def _order(item: Mapping[str, Any]) -> str:
    order = item.get("order", "XYZ")
    if not isinstance(order, str) or len(order) != 3:
        raise ConfigError(f"'order' is {order!r}; it must be three letters of X, Y and Z.")
    return order.upper()


def _numbers(item: Mapping[str, Any], key: str, count: int) -> list[float]:
    if key not in item:
        raise ConfigError(f"'{key}' is missing; it must be {count} numbers.")
    value = item[key]
    if isinstance(value, Tensor) or hasattr(value, "tolist"):
        value = value.tolist()
    flat: list[Any] = []
    for part in value if isinstance(value, list | tuple) else [value]:
        flat.extend(part if count == 9 and isinstance(part, list | tuple) else [part])
    if not all(map(_is_number, flat)) or len(flat) != count:
        raise ConfigError(f"'{key}' is {value!r}; it must be {count} finite numbers.")
    return [float(one) for one in flat]


def _is_number(value: Any) -> bool:
    """Whether it is a finite number, and no integer beyond all floating-point ones either."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:
        return False
