"""Several measurements of one image, side by side."""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.protocols import Operator
from unveil.operators.krylov import Krylov


class Stack(Krylov):
    """Every operator's measurement of the same image, flattened and joined: (B, C, H, W) -> (B, m_1 + .. + m_n).

    A' y is the sum of all A_i' y_i. Pseudo-inverse, proximal step and filters are iterated.

    Args:
        operators: at least one.
        shape: of one image, (C, H, W).
    """

    shape: tuple[int, ...]

    def __init__(self, *operators: Operator, shape: tuple[int, ...]) -> None:
        if not operators:
            raise ConfigError("Stack needs at least one operator.")
        self.operators, self.shape = operators, tuple(shape)
        self._shapes: list[torch.Size] = []

    def _measurements(self, x: Tensor) -> list[Tensor]:
        if x.shape[1:] != self.shape:
            raise ShapeError(f"A stack for images of shape {self.shape} met images of shape {tuple(x.shape[1:])}.")
        return [operator.forward(x) for operator in self.operators]

    def forward(self, x: Tensor) -> Tensor:
        """All measurements, flattened and joined."""
        return torch.cat([y.flatten(1) for y in self._measurements(x)], 1)

    def split(self, y: Tensor) -> list[Tensor]:
        """The measurement of each operator, in its own shape."""
        if not self._shapes:
            trial = torch.zeros(1, *self.shape, dtype=y.dtype, device=y.device)
            self._shapes = [part.shape[1:] for part in self._measurements(trial)]
        sizes = [shape.numel() for shape in self._shapes]
        if y.ndim != 2 or y.shape[1] != sum(sizes):
            raise ShapeError(f"This stack measures (B, {sum(sizes)}) numbers; it got shape {tuple(y.shape)}.")
        parts = y.split(sizes, 1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def adjoint(self, y: Tensor) -> Tensor:
        """The sum of every operator's adjoint."""
        parts = zip(self.operators, self.split(y), strict=True)
        return torch.stack([operator.adjoint(part) for operator, part in parts]).sum(0)
