"""Operators of every kind with a shape of image each takes, for this room's contract and for tests of solvers."""

from typing import NamedTuple

import torch
from torch import Tensor

from unveil.core.protocols import Operator
from unveil.operators import (
    LUMA,
    Blur,
    Compose,
    Dense,
    Downsample,
    General,
    Grayscale,
    Identity,
    Mask,
    Sensing,
    SeparableBlur,
    Stack,
    gaussian_kernel,
    motion_kernel,
)


class Case(NamedTuple):
    """An operator, the shape (C, H, W) of the images it is tried on, and whether it iterates."""

    operator: Operator
    shape: tuple[int, int, int]
    iterated: bool = False


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
LOW_RANK = numbers(9, 4, seed=1) @ numbers(4, 72, seed=2)

CASES = {
    "identity": Case(Identity(), (3, 4, 6)),
    "downsample 2": Case(Downsample(2), (3, 4, 6)),
    "downsample 4": Case(Downsample(4), (2, 8, 4)),
    "grayscale": Case(Grayscale(), (3, 5, 4)),
    "luma": Case(Grayscale(LUMA), (3, 4, 5)),
    "mask": Case(Mask(HOLES), (3, 4, 6)),
    "mask of one channel": Case(Mask(HOLES[None]), (2, 4, 6)),
    "mask of each channel": Case(Mask(numbers(3, 4, 6) > 0.5), (3, 4, 6)),
    "soft mask": Case(Mask(HOLES * numbers(4, 6, seed=3)), (3, 4, 6)),
    "blur": Case(Blur(SKEW), (2, 5, 6)),
    "blur of even sides": Case(Blur(SKEW), (1, 4, 8)),
    "random blur": Case(Blur(numbers(5, 4)), (3, 6, 5)),
    "motion blur": Case(Blur(motion_kernel(4, 30)), (1, 6, 7)),
    "blur that loses frequencies": Case(Blur(torch.full((2, 2), 0.25)), (2, 4, 6)),
    "separable blur": Case(SeparableBlur(SKEW[1], SKEW[:, 1], (4, 6)), (3, 4, 6)),
    "sensing": Case(Sensing((4, 8), 0.4, seed=1), (2, 4, 8)),
    "sensing by hartley": Case(Sensing((5, 6), 0.5, transform="hartley"), (3, 5, 6)),
    "dense": Case(Dense(numbers(30, 24) - 0.5, (1, 4, 6)), (1, 4, 6)),
    "dense and wide": Case(Dense(numbers(9, 72) - 0.5, (3, 4, 6)), (3, 4, 6)),
    "dense of low rank": Case(Dense(LOW_RANK, (3, 4, 6)), (3, 4, 6)),
    "grey and small": Case(Compose(Downsample(2), Grayscale()), (3, 4, 6)),
    "grey with holes": Case(Compose(Grayscale(), Mask(HOLES * numbers(4, 6, seed=3))), (3, 4, 6)),
    "blurred and grey": Case(Compose(Blur(SKEW), Grayscale(LUMA)), (3, 5, 6)),
    "small and blurred": Case(Compose(Downsample(2), Blur(SKEW)), (2, 6, 8)),
    "blurred and small": Case(Compose(Blur(gaussian_kernel(0.7)), Downsample(2)), (2, 8, 12)),
    "blurred, small, blurred and grey": Case(
        Compose(Compose(Blur(SKEW), Downsample(2)), Identity(), Blur(SMALL[2:3, 1:-1]), Grayscale()), (3, 8, 10)
    ),
    "blurred twice": Case(Compose(Blur(SKEW), Blur(SMALL)), (1, 5, 7)),
    "small and sensed": Case(Compose(Downsample(2), Sensing((2, 4), 0.5)), (3, 4, 8)),
    "nothing": Case(Compose(Identity()), (3, 4, 6)),
    "blurred with holes": Case(Compose(Blur(SKEW), Mask(HOLES), shape=(2, 4, 6)), (2, 4, 6), True),
    "small, holes and blurred": Case(
        Compose(Downsample(2), Mask(HOLES), Blur(SKEW), shape=(1, 8, 12)), (1, 8, 12), True
    ),
    "stack": Case(Stack(Downsample(2), Grayscale(), Mask(HOLES), shape=(3, 4, 6)), (3, 4, 6), True),
    "stack of blurs": Case(
        Stack(Blur(SKEW), Compose(Blur(SMALL[:4, :4]), Mask(HOLES)), shape=(2, 4, 6)), (2, 4, 6), True
    ),
    "difference by autograd": Case(
        General(lambda x: x[..., 1:] - 0.5 * x[..., :-1], (2, 4, 6), dtype=torch.float64), (2, 4, 6), True
    ),
    "cumulative sum": Case(
        General(lambda x: x.cumsum(-1), (1, 3, 5), lambda y: y.flip(-1).cumsum(-1).flip(-1), dtype=torch.float64),
        (1, 3, 5),
        True,
    ),
}
