"""Rotations as their first two columns: six numbers that a network can predict, for they have no jumps."""

import torch
import torch.nn.functional as F
from torch import Tensor

_EPS = 1e-8


def matrix_to_6d(rot: Tensor) -> Tensor:
    """The first column, then the second: (..., 3, 3) -> (..., 6)."""
    return rot[..., :2].transpose(-1, -2).flatten(-2)


def matrix_from_6d(numbers: Tensor) -> Tensor:
    """The rotation whose first column points along the first three numbers, and whose third is across both.

    Any six numbers do, (..., 6) -> (..., 3, 3), unless the two vectors are parallel.

    Source: Zhou et al. (2019), arXiv:1812.07035, section 4; Oreshkin et al. (2022), arXiv:2106.01981, eq. 5.
    """
    first, second = numbers[..., :3], numbers[..., 3:]
    x = F.normalize(first, dim=-1, eps=_EPS)
    z = F.normalize(torch.linalg.cross(x, second, dim=-1), dim=-1, eps=_EPS)
    return torch.stack([x, torch.linalg.cross(z, x, dim=-1), z], -1)
