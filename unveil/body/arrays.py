"""The numbers of a body of one gender, looked at before they are used."""

from dataclasses import dataclass

import numpy as np

from unveil.body.joints import JOINTS
from unveil.core.errors import DataError

SHAPES = 10  # numbers that describe a shape
_JOINTS = len(JOINTS)
_POSES = 9 * (_JOINTS - 1)


@dataclass(frozen=True, eq=False)
class BodyArrays:
    """A body of one gender; float32 but for the faces.

    Args:
        template: vertices at rest, (V, 3), metres.
        shape_directions: how they move with each number of the shape, (V, 3, 10).
        pose_directions: how they move with each entry of the local rotations of all joints but the first, less the
            identity, (V, 3, 207); None if the body has no pose-dependent shape.
        regressor: finds the joints from the vertices at rest, (24, V).
        weights: how much each vertex follows each joint, (V, 24).
        faces: three vertices each, (F, 3), int64.

    Raises:
        DataError: they do not fit together, are not finite, or weights do not sum to 1.
    """

    template: np.ndarray
    shape_directions: np.ndarray
    pose_directions: np.ndarray | None
    regressor: np.ndarray
    weights: np.ndarray
    faces: np.ndarray

    def __post_init__(self) -> None:
        for name, array in vars(self).items():
            if array is not None and not (isinstance(array, np.ndarray) and array.ndim and array.dtype.kind in "fiu"):
                raise DataError(f"A body's {name} are no array of numbers.")
        number = len(self.template)
        expected = {
            "template": (number, 3),
            "shape_directions": (number, 3, SHAPES),
            "regressor": (_JOINTS, number),
            "weights": (number, _JOINTS),
            "faces": (len(self.faces), 3),
        }
        if self.pose_directions is not None:
            expected["pose_directions"] = (number, 3, _POSES)
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise DataError(f"A body's {name} have the shape {array.shape}; they must be {shape}.")
            if not np.isfinite(array).all():
                raise DataError(f"A body's {name} hold numbers that are not finite.")
        for name in ("weights", "regressor"):
            off = float(np.abs(getattr(self, name).sum(1) - 1).max())
            if off > 1e-3:
                raise DataError(f"The rows of a body's {name} must sum to 1; one is {off:.2g} away.")
        if number == 0 or (len(self.faces) and not 0 <= self.faces.min() <= self.faces.max() < number):
            raise DataError(f"A body's faces name vertices outside 0..{number - 1}.")
