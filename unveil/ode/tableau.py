"""Explicit Runge-Kutta methods as tables of numbers, and the one step that all of them take."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unveil.core.protocols import Field

Weights = tuple[float, ...]


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta method.

    Attributes:
        order: of its error.
        nodes: where in a step the later slopes are taken, as shares of it; the first is taken at its start.
        stages: the weights of the slopes so far that lead to each of them.
        weights: of the slopes for the step itself.
        error: weights of the estimate of the error; the slope at the end of the step is the last of them. None where the
            method has no estimate.
        bump: weights of the correction of a cubic in the middle of a step, for methods of an order above that.
    """

    order: int
    nodes: Weights
    stages: tuple[Weights, ...]
    weights: Weights
    error: Weights | None = None
    bump: Weights | None = None

    @property
    def evaluations(self) -> int:
        """Of the field in a step, where no slope is taken over from the one before."""
        return len(self.weights)


EULER = Tableau(1, (), (), (1.0,))
MIDPOINT = Tableau(2, (1 / 2,), ((1 / 2,),), (0.0, 1.0))
HEUN = Tableau(2, (1.0,), ((1.0,),), (1 / 2, 1 / 2))
RK4 = Tableau(4, (1 / 2, 1 / 2, 1.0), ((1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6))
# Bogacki and Shampine (1989); the weights are those of the third order.
BOSH3 = Tableau(
    3,
    (1 / 2, 3 / 4),
    ((1 / 2,), (0.0, 3 / 4)),
    (2 / 9, 1 / 3, 4 / 9),
    (2 / 9 - 7 / 24, 1 / 3 - 1 / 4, 4 / 9 - 1 / 3, -1 / 8),
)
# Dormand and Prince (1980); the bump is that of Hairer, Norsett and Wanner (1993), section II.6.
DOPRI5 = Tableau(
    5,
    (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0),
    (
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    ),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
    (
        -12715105075 / 11282082432,
        0.0,
        87487479700 / 32700410799,
        -10690763975 / 1880347072,
        701980252875 / 199316789632,
        -1453857185 / 822651844,
        69997945 / 29380423,
    ),
)


def combine(x: Tensor | None, h: float | Tensor, slopes: list[Tensor], weights: Weights) -> Tensor:
    """x + h times the weighted sum of slopes; h is a number, or a tensor that multiplies x. Without x the sum alone."""
    pairs = [(slope, weight) for slope, weight in zip(slopes, weights, strict=False) if weight]
    if isinstance(h, float):
        if x is None:
            x, pairs = (h * pairs[0][1]) * pairs[0][0], pairs[1:]
        else:
            x, pairs = torch.add(x, pairs[0][0], alpha=h * pairs[0][1]), pairs[1:]
        for slope, weight in pairs:
            x = x.add_(slope, alpha=h * weight)
        return x
    total = pairs[0][1] * pairs[0][0]
    for slope, weight in pairs[1:]:
        total = total.add_(slope, alpha=weight)
    return h * total if x is None else torch.addcmul(x, h, total)


def attempt(
    tableau: Tableau,
    field: Field,
    x: Tensor,
    t: Tensor,
    step: Tensor,
    arrival: Tensor,
    h: float | Tensor,
    slope: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Take one step: the state at its end, and the slopes it was made of.

    Args:
        tableau: the method.
        field: (t, x) -> dx/dt.
        x: the state, (B, ...).
        t: the time, as the field takes it.
        step: how far, of the shape of t.
        arrival: t + step without its rounding.
        h: the step once more, as `combine` takes it.
        slope: of the field at the start, where it is known.
    """
    slopes = [field(t, x) if slope is None else slope]
    for node, weights in zip(tableau.nodes, tableau.stages, strict=True):
        at = arrival if node == 1.0 else torch.add(t, step, alpha=node)
        slopes.append(field(at, combine(x, h, slopes, weights)))
    return combine(x, h, slopes, tableau.weights), slopes
