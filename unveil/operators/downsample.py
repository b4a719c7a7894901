"""Fewer pixels: the mean over blocks."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from unveil.core.errors import ShapeError
from unveil.core.numbers import check_whole
from unveil.operators.tight import Tight


@dataclass(frozen=True)
class Downsample(Tight):
    """Mean over each factor x factor block: (B, C, H, W) -> (B, C, H/factor, W/factor). A A' = I / factor^2."""

    factor: int

    def __post_init__(self) -> None:
        check_whole("The factor of Downsample", self.factor)

    @property
    def squared_norm(self) -> float:
        """1 / factor^2."""
        return 1 / self.factor**2

    def forward(self, x: Tensor) -> Tensor:
        """The mean of every block."""
        height, width = x.shape[-2:]
        if height % self.factor or width % self.factor:
            raise ShapeError(
                f"Images of {height} x {width} do not divide into blocks of {self.factor} x {self.factor}; "
                f"pad or crop them to {_multiple(height, self.factor)} x {_multiple(width, self.factor)}."
            )
        return functional.avg_pool2d(x, self.factor)

    def adjoint(self, y: Tensor) -> Tensor:
        """Every pixel spread evenly over its block."""
        return self.pinv(y / self.factor**2)

    def pinv(self, y: Tensor) -> Tensor:
        """Every pixel repeated over its block."""
        return y.repeat_interleave(self.factor, -1).repeat_interleave(self.factor, -2)


def _multiple(side: int, factor: int) -> int:
    return -(-side // factor) * factor
