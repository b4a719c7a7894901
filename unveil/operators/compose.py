"""Operators one after another, in closed form where there is one."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Operator
from unveil.operators.arguments import check_weight
from unveil.operators.blur import Blur
from unveil.operators.chain import back_through, through
from unveil.operators.downsample import Downsample
from unveil.operators.grayscale import Grayscale
from unveil.operators.identity import Identity
from unveil.operators.krylov import Krylov
from unveil.operators.mask import Mask
from unveil.operators.periodic import Periodic
from unveil.operators.separable_blur import SeparableBlur
from unveil.operators.tight import Tight


class Compose:
    """The first operator, then the next, .. : A = A_n .. A_2 A_1.

    What begins with tight operators (c_1 = A_1 A_1') is as easy as what follows, for with Q = A_1 / sqrt(c_1), Q Q' = I,
    only the plane that Q sees has to be solved. Blurs and downsamplings in any order are solved in Fourier space, and
    anything else by iteration.

    Args:
        operators: in the order in which they act, at least one.
        shape: of one image, (C, H, W). Only the norm of a composition that is iterated needs it.
    """

    def __init__(self, *operators: Operator, shape: tuple[int, ...] | None = None) -> None:
        if not operators:
            raise ConfigError("Compose needs at least one operator; the one that does nothing is Identity().")
        self.operators: tuple[Operator, ...] = _flat(operators)
        order = _grey_first([part for part in self.operators if not isinstance(part, Identity)])
        count = next((i for i, part in enumerate(order) if not isinstance(part, Tight)), len(order))
        self._head: list[Tight] = [part for part in order[:count] if isinstance(part, Tight)]
        self._square = math.prod(part.squared_norm for part in self._head)
        if shape is not None and self._head:
            shape = tuple(self._enter(torch.zeros(1, *shape)).shape[1:])
        self._rest = _solved(order[count:], shape)

    def _enter(self, x: Tensor) -> Tensor:
        return through(self._head, x)

    def _leave(self, y: Tensor) -> Tensor:
        return back_through(self._head, y)

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        return self._rest.forward(self._enter(x))

    def adjoint(self, y: Tensor) -> Tensor:
        """A' y."""
        return self._leave(self._rest.adjoint(y))

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """V diag(gain(s)) V' x."""
        if not self._head:
            return self._rest.filtered(x, gain)
        inner = self._enter(x)
        root = math.sqrt(self._square)
        seen = self._leave(self._rest.filtered(inner, lambda s: gain(root * s))) / self._square
        unseen = x - self._leave(inner) / self._square
        return seen + gain(torch.zeros((), dtype=x.dtype, device=x.device)) * unseen

    def pinv(self, y: Tensor) -> Tensor:
        """A+ y: of all x whose A x is nearest to y, the smallest."""
        return self._leave(self._rest.pinv(y)) / self._square

    def prox(self, v: Tensor, y: Tensor, lam: float) -> Tensor:
        """The x for which lam/2 |A x - y|^2 + 1/2 |x - v|^2 is least."""
        check_weight(lam)
        inner = self._enter(v)
        return v + self._leave(self._rest.prox(inner, y, lam * self._square) - inner) / self._square

    def norm(self) -> float:
        """The largest singular value."""
        return math.sqrt(self._square) * self._rest.norm()


class _Iterated(Krylov):
    """Operators one after another, solved by iteration."""

    def __init__(self, operators: Sequence[Operator], shape: tuple[int, ...] | None) -> None:
        self.operators, self.shape = tuple(operators), shape

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        return through(self.operators, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """A' y."""
        return back_through(self.operators, y)


def _flat(operators: Sequence[Operator]) -> tuple[Operator, ...]:
    return tuple(inner for part in operators for inner in (part.operators if isinstance(part, Compose) else (part,)))


def _treats_channels_alike(part: Operator) -> bool:
    if isinstance(part, Mask):
        return part.keep.ndim == 2 or part.keep.shape[0] == 1
    return isinstance(part, Blur | Downsample | SeparableBlur)


def _grey_first(operators: Sequence[Operator]) -> list[Operator]:
    """The same product with Grayscale moved before what it commutes with, where there are fewer channels to solve."""
    order: list[Operator] = []
    for part in operators:
        place = len(order)
        while isinstance(part, Grayscale) and place and _treats_channels_alike(order[place - 1]):
            place -= 1
        order.insert(place, part)
    return order


def _solved(operators: Sequence[Operator], shape: tuple[int, ...] | None) -> Operator:
    """The product of some operators, as one that can be solved."""
    if not operators:
        return Identity()
    if len(operators) == 1:
        return operators[0]
    if all(isinstance(part, Blur | Downsample) for part in operators):
        return Periodic([part for part in operators if isinstance(part, Blur | Downsample)])
    return _Iterated(operators, shape)
