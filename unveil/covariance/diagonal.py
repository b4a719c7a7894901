"""Independent noise whose strength differs from pixel to pixel."""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.covariance.normalize import to_unit_mean


class Diagonal:
    """Sig = diag(variance), the same for every channel, or one per channel.

    Args:
        variance: (H, W) or (C, H, W), above zero.
        normalize: rescale to mean variance 1, which the signal-to-noise ratio of a schedule counts on.
    """

    def __init__(self, variance: Tensor, *, normalize: bool = True) -> None:
        if variance.ndim < 2 or not bool(((variance > 0) & variance.isfinite()).all()):
            raise ConfigError(
                f"Diagonal needs variances above zero of shape (H, W) or (C, H, W); it got shape {tuple(variance.shape)} "
                f"with the smallest at {float(variance.min()) if variance.numel() else float('nan'):.3g}."
            )
        self.variance = to_unit_mean(variance.double(), normalize)

    def _times(self, factor: Tensor, x: Tensor) -> Tensor:
        if x.shape[-2:] != factor.shape[-2:]:
            (height, width), given = factor.shape[-2:], x.shape[-2:]
            raise ShapeError(f"Noise made for images of {height} x {width} met images of {given[0]} x {given[1]}.")
        return x * factor.to(x)

    def sqrt(self, z: Tensor) -> Tensor:
        """R z, with R the symmetric root."""
        return self._times(self.variance.sqrt(), z)

    def inv_sqrt(self, x: Tensor) -> Tensor:
        """R^-1 x."""
        return self._times(self.variance**-0.5, x)

    def apply(self, x: Tensor) -> Tensor:
        """Sig x."""
        return self._times(self.variance, x)

    def solve(self, x: Tensor) -> Tensor:
        """Sig^-1 x."""
        return self._times(1 / self.variance, x)

    sqrt_t = sqrt
    inv_sqrt_t = inv_sqrt

    def eigenvalues(self) -> Tensor:
        """The variances, float64."""
        return self.variance

    def condition(self) -> float:
        """Largest over smallest eigenvalue."""
        return float(self.variance.max() / self.variance.min())

    def logdet(self) -> Tensor:
        """log det Sig of a plane: () or (C,), float64."""
        return torch.sum(self.variance.log(), (-2, -1))
