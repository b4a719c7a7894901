"""No colour: a weighted mean of the channels."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.operators.tight import Tight

LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue look, as in BT.601."""


@dataclass(frozen=True)
class Grayscale(Tight):
    """Weighted mean of the channels: (B, 3, H, W) -> (B, 1, H, W). A A' = (sum of squared weights) I.

    Args:
        weights: one per channel; the plain mean, `LUMA`, or any other.
    """

    weights: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)

    def __post_init__(self) -> None:
        if not self.weights or not all(map(math.isfinite, self.weights)) or not any(self.weights):
            raise ConfigError(
                f"Grayscale got weights={self.weights}; it needs a finite weight for each channel, not all zero."
            )

    @property
    def squared_norm(self) -> float:
        """The sum of squared weights."""
        return sum(w**2 for w in self.weights)

    def _column(self, x: Tensor) -> Tensor:
        return torch.tensor(self.weights, dtype=x.dtype, device=x.device)[:, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """The weighted mean of the channels."""
        channels = _channels(x)
        if channels != len(self.weights):
            grey = " A picture with one channel is what this operator measures, not what it takes." * (channels == 1)
            raise ShapeError(f"Grayscale takes images of {len(self.weights)} channels; these have {channels}.{grey}")
        return (x * self._column(x)).sum(1, keepdim=True)

    def adjoint(self, y: Tensor) -> Tensor:
        """The grey picture times the weight of each channel."""
        if _channels(y) != 1:
            raise ShapeError(f"What Grayscale measures has one channel; this has {y.shape[1]}.")
        return y * self._column(y)


def _channels(x: Tensor) -> int:
    if x.ndim != 4:
        raise ShapeError(f"Grayscale takes images (B, C, H, W); it got shape {tuple(x.shape)}.")
    return x.shape[1]
