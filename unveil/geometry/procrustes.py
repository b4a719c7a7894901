"""The turn, the scale and the shift that bring points nearest to others, and matrices to rotations."""

from typing import NamedTuple

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError


class Similarity(NamedTuple):
    """x -> scale rot x + shift, one for each set of points.

    Attributes:
        scale: (...).
        rot: (..., 3, 3), never a reflection.
        shift: (..., 3).
    """

    scale: Tensor
    rot: Tensor
    shift: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """Move points, (..., N, 3)."""
        turned = points @ self.rot.transpose(-1, -2)
        return self.scale[..., None, None] * turned + self.shift[..., None, :]


def procrustes(source: Tensor, target: Tensor, *, scale: bool = True) -> Similarity:
    """The similarity that brings points nearest to others in the sum of squares.

    Args:
        source: (..., N, 3).
        target: (..., N, 3), point by point.
        scale: whether the size may change; without it the motion is rigid.

    Raises:
        ShapeError: the points do not correspond.

    Source: Umeyama (1991), Least-squares estimation of transformation parameters between two point patterns, eq. 39-43.
    """
    if source.shape != target.shape or source.ndim < 2 or source.shape[-1] != 3:
        raise ShapeError(
            f"procrustes got points of shapes {tuple(source.shape)} and {tuple(target.shape)}; both must be (..., N, 3)."
        )
    centre, goal = source.mean(-2, keepdim=True), target.mean(-2, keepdim=True)
    x, y = source - centre, target - goal
    u, s, vt = torch.linalg.svd(y.transpose(-1, -2) @ x)
    signs = torch.ones_like(s)
    signs[..., 2] = torch.sign(torch.linalg.det(u @ vt))
    rot = (u * signs[..., None, :]) @ vt
    spread = (x * x).sum((-1, -2)).clamp_min(1e-20)
    factor = (s * signs).sum(-1) / spread if scale else torch.ones_like(spread)
    shift = goal - factor[..., None, None] * (centre @ rot.transpose(-1, -2))
    return Similarity(factor, rot, shift.squeeze(-2))


def nearest_rotation(matrix: Tensor) -> Tensor:
    """The rotations nearest to matrices in the sum of squares: (..., 3, 3) -> (..., 3, 3)."""
    u, s, vt = torch.linalg.svd(matrix)
    signs = torch.ones_like(s)
    signs[..., 2] = torch.sign(torch.linalg.det(u @ vt))
    return (u * signs[..., None, :]) @ vt


def check_rotations(rot: Tensor, what: str = "The rotations", tolerance: float = 1e-2) -> Tensor:
    """Give back rotation matrices as they are, or made exact where they are nearly so: (..., 3, 3).

    Args:
        rot: what was given.
        what: how a message calls them.
        tolerance: the largest entry of R'R - I that rounding may explain.

    Raises:
        ShapeError: the last two axes are not 3 x 3.
        ConfigError: a number is not finite, or a matrix is no rotation; the first such is named by its place.
    """
    if rot.ndim < 2 or rot.shape[-2:] != (3, 3):
        raise ShapeError(f"{what} have the shape {tuple(rot.shape)}; rotation matrices are (..., 3, 3).")
    identity = torch.eye(3, dtype=rot.dtype, device=rot.device)
    error = (rot.transpose(-1, -2) @ rot - identity).abs().amax((-1, -2))
    error = torch.where(torch.linalg.det(rot.nan_to_num()) > 0, error, torch.inf)
    wrong = ~(error <= tolerance)  # not finite is wrong too
    if wrong.any():
        place = ", ".join(str(int(i)) for i in wrong.nonzero()[0])
        raise ConfigError(
            f"{what} hold a matrix that is no rotation{f' at [{place}]' if place else ''}: its columns must have length 1, be "
            "perpendicular and right-handed. Scale and shear are not understood."
        )
    return nearest_rotation(rot) if bool((error > 1e-5).any()) else rot
