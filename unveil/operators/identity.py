"""The operator that hides nothing: what is left to restore is noise."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unveil.operators.tight import Tight


@dataclass(frozen=True)
class Identity(Tight):
    """A = I, the operator of denoising."""

    @property
    def squared_norm(self) -> float:
        """1."""
        return 1.0

    def forward(self, x: Tensor) -> Tensor:
        """X itself."""
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """Y itself."""
        return y

    def pinv(self, y: Tensor) -> Tensor:
        """Y itself."""
        return y

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """Gain(1) x: nothing is unseen, so gain(0) is not asked for."""
        return gain(torch.ones((), dtype=x.dtype, device=x.device)) * x
