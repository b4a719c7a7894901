"""How far poses are from what they should be, in the figures that papers on human pose give."""

from torch import Tensor

from unveil.body import Effectors, effector_residuals
from unveil.body.effectors import KINDS
from unveil.core.errors import ShapeError
from unveil.geometry import geodesic_distance, procrustes

_MILLIMETRES = 1000.0


def mpjpe_root(positions: Tensor, true: Tensor) -> Tensor:
    """The mean distance of joints, each pose moved so that its first joint is at the origin, in mm.

    This is what most tables call MPJPE.

    Args:
        positions: of the joints, (..., J, 3), metres; the first is the pelvis.
        true: what they should be, of the same shape.

    Returns:
        One value for each pose, (...).

    Raises:
        ShapeError: the shapes differ.
    """
    _check(positions, true)
    return mpjpe_abs(positions - positions[..., :1, :], true - true[..., :1, :])


def mpjpe_abs(positions: Tensor, true: Tensor) -> Tensor:
    """The mean distance of joints where they are in the world, in mm; see `mpjpe_root`."""
    _check(positions, true)
    return _MILLIMETRES * (positions - true).norm(dim=-1).mean(-1)


def pa_mpjpe(positions: Tensor, true: Tensor) -> Tensor:
    """The mean distance of joints after the turn, the scale and the shift that bring each pose nearest, in mm.

    See `mpjpe_root`. A pose and its mirror image stay apart.
    """
    _check(positions, true)
    found, goal = positions.double(), true.double()
    return mpjpe_abs(procrustes(found, goal)(found), goal).to(positions.dtype)


def geodesic_error(rotations: Tensor, true: Tensor) -> Tensor:
    """The mean angle between rotations of joints in their parents' frames and what they should be, in radians.

    Args:
        rotations: local rotations, (..., J, 3, 3).
        true: what they should be, of the same shape.

    Returns:
        One value for each pose, (...).

    Raises:
        ShapeError: the shapes differ.
    """
    if rotations.shape != true.shape or rotations.shape[-2:] != (3, 3) or rotations.ndim < 3:
        raise ShapeError(
            f"Rotations of shapes {tuple(rotations.shape)} and {tuple(true.shape)} were given to be compared; they must be "
            "equal, (..., J, 3, 3)."
        )
    return geodesic_distance(rotations, true).mean(-1)


def effector_error(effectors: Effectors, positions: Tensor, rotations: Tensor) -> dict[str, float]:
    """What poses leave undone of what they were asked, on average over all effectors of a kind that count.

    Args:
        effectors: what was asked.
        positions: of all joints in the world, (B, 24, 3).
        rotations: of all joints in the world, (B, 24, 3, 3).

    Returns:
        "position" in mm, "rotation" and "look-at" in radians; a kind that was not asked for is left out.
    """
    residuals = effector_residuals(effectors, positions, rotations)
    found: dict[str, float] = {}
    for kind, name in enumerate(KINDS):
        asked = (effectors.kind == kind) & (effectors.weight > 0)
        if asked.any():
            scale = _MILLIMETRES if name == "position" else 1.0
            found[name] = scale * float(residuals[asked].mean())
    return found


def _check(positions: Tensor, true: Tensor) -> None:
    if positions.shape != true.shape or positions.ndim < 2 or positions.shape[-1] != 3:
        raise ShapeError(
            f"Joints of shapes {tuple(positions.shape)} and {tuple(true.shape)} were given to be compared; they must be equal, "
            "(..., J, 3)."
        )
