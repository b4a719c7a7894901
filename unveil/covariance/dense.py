"""Any covariance matrix at all, for small images."""

import math
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.covariance.normalize import to_unit_mean


class Dense:
    """Sig given as a matrix over the pixels of a plane, in row-major order.

    Args:
        matrix: (N, N), symmetric positive definite, N = H W.
        root: R is the symmetric root, or the lower Cholesky factor; then R' differs from R, and so do the scores.
        normalize: rescale to mean variance 1.
    """

    def __init__(
        self, matrix: Tensor, *, root: Literal["symmetric", "cholesky"] = "symmetric", normalize: bool = True
    ) -> None:
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ShapeError(f"Dense needs a square matrix (N, N); it got shape {tuple(matrix.shape)}.")
        if root not in ("symmetric", "cholesky"):
            raise ConfigError(f"The root of a dense covariance is symmetric or cholesky; it got {root!r}.")
        sig = matrix.double()
        if not bool(sig.isfinite().all()):
            raise ConfigError("Dense needs a finite matrix; this one holds a NaN or an infinity.")
        if not torch.allclose(sig, sig.T, rtol=1e-5, atol=1e-8 * float(sig.abs().max())):
            raise ConfigError("Dense needs a symmetric matrix; this one differs from its transpose.")
        sig = (sig + sig.T) / 2
        sig = sig / (sig.diagonal().mean() / to_unit_mean(sig.diagonal()[None], normalize).mean())
        values, vectors = torch.linalg.eigh(sig)
        if float(values.min()) <= 1e-12 * float(values.max()):
            raise ConfigError(
                f"Dense needs a positive definite matrix; its smallest eigenvalue is {float(values.min()):.3g} "
                f"(largest {float(values.max()):.3g}). A singular covariance leaves some direction without noise."
            )
        self._values, self._matrix, self._inverse = values, sig, (vectors / values) @ vectors.T
        if root == "symmetric":
            self._root = (vectors * values.sqrt()) @ vectors.T
            self._inv_root = (vectors / values.sqrt()) @ vectors.T
        else:
            self._root = torch.linalg.cholesky(sig)
            identity = torch.eye(len(sig), dtype=sig.dtype, device=sig.device)
            self._inv_root = torch.linalg.solve_triangular(self._root, identity, upper=False)

    def _times(self, matrix: Tensor, x: Tensor) -> Tensor:
        if math.prod(x.shape[-2:]) != len(matrix):
            raise ShapeError(f"A covariance over {len(matrix)} pixels met images of {x.shape[-2]} x {x.shape[-1]}.")
        return (x.flatten(-2) @ matrix.T.to(x)).reshape(x.shape)

    def sqrt(self, z: Tensor) -> Tensor:
        """R z."""
        return self._times(self._root, z)

    def sqrt_t(self, z: Tensor) -> Tensor:
        """R' z."""
        return self._times(self._root.T, z)

    def inv_sqrt(self, x: Tensor) -> Tensor:
        """R^-1 x."""
        return self._times(self._inv_root, x)

    def inv_sqrt_t(self, x: Tensor) -> Tensor:
        """R^-T x."""
        return self._times(self._inv_root.T, x)

    def apply(self, x: Tensor) -> Tensor:
        """Sig x."""
        return self._times(self._matrix, x)

    def solve(self, x: Tensor) -> Tensor:
        """Sig^-1 x."""
        return self._times(self._inverse, x)

    def eigenvalues(self) -> Tensor:
        """Eigenvalues of Sig, (N,), ascending, float64."""
        return self._values

    def condition(self) -> float:
        """Largest over smallest eigenvalue."""
        return float(self._values[-1] / self._values[0])

    def logdet(self) -> Tensor:
        """log det Sig, float64."""
        return self._values.log().sum()
