"""Operators one after another, as every kind of composition applies them."""

from collections.abc import Sequence

from torch import Tensor

from unveil.core.protocols import Operator


def through(operators: Sequence[Operator], x: Tensor) -> Tensor:
    """A_n .. A_2 A_1 x, of operators in the order in which they act."""
    for part in operators:
        x = part.forward(x)
    return x


def back_through(operators: Sequence[Operator], y: Tensor) -> Tensor:
    """A_1' A_2' .. A_n' y."""
    for part in reversed(operators):
        y = part.adjoint(y)
    return y
