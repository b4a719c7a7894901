"""White noise."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Identity:
    """Sig = I: every method returns its argument, so the model is the isotropic one bit for bit."""

    def sqrt(self, z: Tensor) -> Tensor:
        """R z = z."""
        return z

    def sqrt_t(self, z: Tensor) -> Tensor:
        """R' z = z."""
        return z

    def inv_sqrt(self, x: Tensor) -> Tensor:
        """R^-1 x = x."""
        return x

    def inv_sqrt_t(self, x: Tensor) -> Tensor:
        """R^-T x = x."""
        return x

    def apply(self, x: Tensor) -> Tensor:
        """Sig x = x."""
        return x

    def solve(self, x: Tensor) -> Tensor:
        """Sig^-1 x = x."""
        return x

    def logdet(self) -> float:
        """log det I = 0."""
        return 0.0
