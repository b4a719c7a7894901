"""How far apart rotations and directions are, as angles that are exact and smooth near zero."""

import torch
from torch import Tensor

_EPS = 1e-12


def geodesic_distance(a: Tensor, b: Tensor) -> Tensor:
    """The angle in radians, 0 to pi, of the turn from one rotation to another: (..., 3, 3) twice -> (...).

    With M = A'B the angle's sine is half the length of M's skew part and its cosine (tr M - 1) / 2. An arccos of the second
    alone would be 1000 times less exact near 0, and its gradient would not be finite.
    """
    m = a.transpose(-1, -2) @ b
    skew = torch.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], -1)
    sine = ((skew * skew).sum(-1) / 4 + _EPS).sqrt()
    return torch.atan2(sine, (m.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2)


def angle_between(u: Tensor, v: Tensor) -> Tensor:
    """The angle in radians, 0 to pi, between vectors of any lengths but 0: (..., 3) twice -> (...)."""
    across = torch.linalg.cross(u, v, dim=-1)
    scale = ((u * u).sum(-1) * (v * v).sum(-1)).clamp_min(1e-30)
    return torch.atan2(((across * across).sum(-1) / scale + _EPS).sqrt(), (u * v).sum(-1) / scale.sqrt())
