"""Points that somebody or some detector marked on a person, in a picture or in space."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor

from unveil.body.estimation.markers import MARKERS, ORDERS
from unveil.core.errors import ConfigError, DataError
from unveil.core.json_file import read_json

_LEAST = 4
_LARGEST_NUMBER = 1e30
_FARTHEST = 1e6  # pixels, or metres
_PART = 3.0  # metres, or shares of a picture, that no landmark is farther than
_WIDE = 10.0  # metres
_CENTRE = 0.2  # metres from the origin where the world's landmarks have the hips' middle
_LARGEST = 64 << 20
_WIDEST = 4  # numbers of a point
_PEOPLE = ("people", "annotations")
_LISTS = ("pose_keypoints_2d", "pose_keypoints_3d", "keypoints", "landmarks", "pose_world_landmarks", "pose_landmarks")


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Marked points of one person.

    Args:
        names: which points, of `MARKERS`.
        points: (K, 2), pixels to the right and down, or (K, 3), metres, Y up.
        confidence: (K,), from 0 to 1.

    Raises:
        ConfigError: a point is not known, or there are too few that anything can be told of.
    """

    names: tuple[str, ...]
    points: Tensor
    confidence: Tensor

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in MARKERS:
                near = get_close_matches(name, MARKERS, n=3, cutoff=0.4)
                raise ConfigError(
                    f"There is no point '{name}'; {'did you mean ' + ' or '.join(near) if near else 'see MARKERS'}."
                )
        count = len(self.names)
        if len(set(self.names)) != count:
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise ConfigError(f"The point '{twice}' is there twice; mark each once.")
        if self.points.shape not in ((count, 2), (count, 3)) or self.confidence.shape != (count,):
            raise ConfigError(
                f"{count} points got places {tuple(self.points.shape)} and confidences {tuple(self.confidence.shape)}; they "
                f"need ({count}, 2) pixels or ({count}, 3) metres, and ({count},)."
            )
        sure = (self.confidence >= 0) & (self.confidence < torch.inf)
        if not (torch.isfinite(self.points).all() and sure.all()):
            raise ConfigError("Points and confidences must be finite numbers, and no confidence below 0.")
        seen = self.points[self.confidence > 0]
        if len(seen) < _LEAST:
            raise ConfigError(f"Only {len(seen)} points can be seen; mark {_LEAST} at least.")
        if bool((seen.abs() > _FARTHEST).any()):
            raise ConfigError(f"Points lie farther than {_FARTHEST:.0f} from the origin; give pixels, or metres.")
        if bool((seen == seen[0]).all()):
            raise ConfigError("All points are at one place, which shows no pose.")
        if not self.flat and self.extent > _WIDE:
            raise ConfigError(f"The points are {self.extent:.4g} m apart, which no person is; give metres.")

    @property
    def flat(self) -> bool:
        """Whether they are pixels of a picture, not places in space."""
        return self.points.shape[1] == 2

    @property
    def extent(self) -> float:
        """How far apart those are that are seen, along the axis along which they are farthest, pixels or metres."""
        seen = self.points[self.confidence > 0]
        return float((seen.amax(0) - seen.amin(0)).max())


def read_keypoints(path: str | os.PathLike[str]) -> list[Keypoints]:
    """Read the points of every person in a JSON file.

    Understood are OpenPose's files, COCO's annotations and lists of results, MediaPipe's landmarks (those of the picture must
    be in pixels), and points by name: {"points": {"left_wrist": [x, y], "nose": [x, y, confidence]}}, with "dimensions": 3 for
    x, y, z in metres.

    Raises:
        DataError: there is no such file, it is no JSON, or it holds no points that can be understood.
    """
    try:
        return keypoints_of(read_json(path, "list of points", _LARGEST))
    except ConfigError as error:
        raise DataError(f"'{path}' holds no points that can be used: {error}") from None


def keypoints_of(value: Any) -> list[Keypoints]:
    """The points of every person in what a JSON file holds; see `read_keypoints`.

    Raises:
        ConfigError: there are none.
    """
    key = next((name for name in _PEOPLE if isinstance(value, Mapping) and isinstance(value.get(name), list)), None)
    value = value if key is None else value[key]
    people = value if isinstance(value, list) and value and isinstance(value[0], Mapping | list) else [value]
    if _is_landmark(people[0]) or (isinstance(people[0], list) and _numbers(people[0]) and len(people[0]) <= _WIDEST):
        people = [value]  # rows of one person
    found = [person for one in people if (person := _person(one)) is not None]
    if not found:
        raise ConfigError(
            "no person's points are in it. Give OpenPose's, COCO's or MediaPipe's lists, or points by name: "
            '{"points": {"left_wrist": [x, y]}}.'
        )
    return found


def _person(value: Any) -> Keypoints | None:
    """One person's points; None where a detector left them all out."""
    if isinstance(value, Mapping) and isinstance(value.get("points"), Mapping):
        return _named(value["points"], value.get("dimensions", 2))
    if isinstance(value, Mapping):
        key = next((name for name in _LISTS if isinstance(value.get(name), list) and value[name]), None)
        if key is None:
            return None
        return _listed(value[key], 3 if "3d" in key or "world" in key else None)
    return _listed(value, None) if isinstance(value, list) and value else None


def _named(points: Mapping[str, Any], dimensions: Any) -> Keypoints:
    if isinstance(dimensions, bool) or dimensions not in (2, 3):
        raise ConfigError(f'its "dimensions" are {dimensions!r}; they must be 2 or 3.')
    rows = []
    for name, numbers in points.items():
        if not _numbers(numbers) or len(numbers) not in (dimensions, dimensions + 1):
            raise ConfigError(
                f"point '{name}' is {numbers!r}; it needs {dimensions} numbers and may have a confidence."
            )
        if len(numbers) > dimensions and not 0 <= numbers[dimensions] <= 1:
            more = '; for places in space add "dimensions": 3' if dimensions == 2 else ""
            raise ConfigError(f"point '{name}' has the confidence {numbers[dimensions]}; it must be from 0 to 1{more}.")
        rows.append([*numbers, 1.0][: dimensions + 1])
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, dimensions + 1)
    return Keypoints(tuple(points), table[:, :-1], table[:, -1])


def _listed(values: Sequence[Any], dimensions: int | None) -> Keypoints | None:
    """Points in the order of a detector, each (x, y, confidence) or (x, y, z, confidence), flat or in rows."""
    if values and _is_landmark(values[0]):
        return _landmarks(values, dimensions)
    if values and isinstance(values[0], list):
        width = len(values[0])
        if any(not _numbers(row) or len(row) != width for row in values):
            raise ConfigError("its rows of points differ in length, or hold more than numbers.")
        numbers = [number for row in values for number in row]
    else:
        numbers = list(values)
        count = next((n for n in ORDERS if len(numbers) in (3 * n, 4 * n)), 0)
        width = len(numbers) // count if count else 0
        if not _numbers(numbers):
            raise ConfigError("its list of points holds more than numbers.")
    count = len(numbers) // width if width else 0
    if count not in ORDERS or width not in (2, 3, 4):
        raise ConfigError(
            f"its list has {len(values)} entries; the known orders have {', '.join(map(str, ORDERS))} points of (x, y, "
            "confidence) or (x, y, z, confidence)."
        )
    table = torch.tensor(numbers, dtype=torch.float32).reshape(count, width)
    if width == 2 or (width == 3 and dimensions == 3):
        points, confidence = table, torch.ones(count)
    else:
        points, confidence = table[:, :-1], table[:, -1]
    return _seen(ORDERS[count], points, confidence)


def _landmarks(rows: Sequence[Mapping[str, Any]], dimensions: int | None) -> Keypoints | None:
    if len(rows) not in ORDERS:
        raise ConfigError(f"it has {len(rows)} landmarks; MediaPipe has 33.")
    flat = [[row.get("x"), row.get("y")] if isinstance(row, Mapping) else None for row in rows]
    if not all(map(_numbers, flat)):
        raise ConfigError("its landmarks must be objects with numbers x and y, and may have z and visibility.")
    small = all(abs(row[axis]) < _PART for row in rows for axis in ("x", "y"))
    deep = small and all(_numbers([row.get("z")]) for row in rows)
    points = torch.tensor([[float(row[axis]) for axis in ("x", "y", "z")[: 2 + deep]] for row in rows])
    if deep and dimensions != 3:  # both kinds have a z
        hips = [ORDERS[len(rows)].index(f"{side}_hip") for side in ("left", "right")]
        deep = float(points[hips].mean(0).norm()) < _CENTRE
    if small and not deep:
        raise ConfigError(
            "its landmarks are shares of the picture. Multiply x by the picture's width and y by its height and leave z out, "
            "or give the world's landmarks."
        )
    if deep:
        points = points * torch.tensor([1.0, -1.0, -1.0])  # theirs point right, down and away
    sure = [row.get("visibility", row.get("score", 1.0)) for row in rows]
    if not _numbers(sure):
        raise ConfigError("its landmarks' visibility must be numbers.")
    seen = torch.tensor([float(share) for share in sure])
    return _seen(ORDERS[len(rows)], points, seen)


def _seen(order: Sequence[str], points: Tensor, confidence: Tensor) -> Keypoints | None:
    """Those of an order that a detector found; where it found nothing it writes zeros."""
    kept = ((confidence > 0) & torch.isfinite(points).all(1)).nonzero().squeeze(1)
    if not len(kept):
        return None
    # A confidence above 1 is a flag (COCO writes 1 for hidden and 2 for seen).
    share = confidence / 2 if bool((confidence > 1).any()) else confidence
    return Keypoints(tuple(order[i] for i in kept.tolist()), points[kept], share[kept].clamp(0, 1))


def _is_landmark(value: Any) -> bool:
    return isinstance(value, Mapping) and {"x", "y"} <= value.keys()


def _numbers(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(
        isinstance(x, int | float) and not isinstance(x, bool) and -_LARGEST_NUMBER < x < _LARGEST_NUMBER
        for x in values
    )
