"""Kernels, holes and numbers that tests of operators share, and the matrix of an operator."""

import torch
from torch import Tensor

from unveil.core.protocols import Operator
from unveil.operators import gaussian_kernel


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def matrix_of(operator: Operator, shape: tuple[int, ...]) -> Tensor:
    """The matrix (M, N) of an operator on images of a shape."""
    basis = torch.eye(torch.Size(shape).numel(), dtype=torch.float64)
    return operator.forward(basis.unflatten(1, shape)).flatten(1).T


SKEW = torch.tensor([[0.5, 0.1, 0.0, 0.05], [0.1, 0.9, 0.1, 0.2], [0.0, 0.3, 0.1, -0.1]], dtype=torch.float64)
"""An even side, no symmetry and a negative tap; no frequency is lost."""
SMALL = gaussian_kernel(0.4)
HOLES = (numbers(4, 6) > 0.4).double()
