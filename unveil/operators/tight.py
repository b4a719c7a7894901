"""Operators whose rows are orthogonal and equally long: A A' = c I. Everything follows from c."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from unveil.operators.arguments import check_prox


class Tight(ABC):
    """A A' = c I. Every singular value is sqrt(c), or 0 in the directions that A does not see."""

    @property
    @abstractmethod
    def squared_norm(self) -> float:
        """The c of A A' = c I."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """A x."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """A' y."""

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """V diag(gain(s)) V' x: one gain for what A sees, another for the rest."""
        seen = self.pinv(self.forward(x))
        seen_gain, unseen_gain = gain(torch.tensor([self.norm(), 0.0], dtype=x.dtype, device=x.device))
        return seen_gain * seen + unseen_gain * (x - seen)

    def pinv(self, y: Tensor) -> Tensor:
        """A+ y = A' y / c."""
        return self.adjoint(y) / self.squared_norm

    def prox(self, v: Tensor, y: Tensor, lam: float) -> Tensor:
        """The x for which lam/2 |A x - y|^2 + 1/2 |x - v|^2 is least."""
        measured = self.forward(v)
        check_prox(lam, measured, y)
        return v + self.adjoint(y - measured) / (1 / lam + self.squared_norm)

    def norm(self) -> float:
        """The largest singular value, sqrt(c)."""
        return math.sqrt(self.squared_norm)
