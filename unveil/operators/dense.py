"""Any matrix at all, for small images."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.operators.arguments import NEGLIGIBLE, check_prox
from unveil.operators.placed import Placed


class Dense:
    """A x = matrix times the flattened image: (B, *shape) -> (B, M), by singular value decomposition.

    Args:
        matrix: (M, N).
        shape: of one image, usually (C, H, W), with N numbers in row-major order.
        tol: singular values below this share of the largest count as zero in `pinv` and `filtered`.
    """

    def __init__(self, matrix: Tensor, shape: tuple[int, ...], *, tol: float = NEGLIGIBLE) -> None:
        if matrix.ndim != 2 or not matrix.numel() or matrix.shape[1] != math.prod(shape):
            raise ShapeError(
                f"Dense needs a matrix (M, N) with a column for each of the {math.prod(shape)} numbers of an image of "
                f"shape {tuple(shape)}; it got {tuple(matrix.shape)}."
            )
        if not bool(matrix.isfinite().all()):
            raise ConfigError("Dense needs finite numbers; this matrix holds a NaN or an infinity.")
        if not bool(matrix.any()):
            raise ConfigError("Dense got a matrix of zeros, which measures nothing.")
        if not 0 <= tol < 1:
            raise ConfigError(f"Dense got tol={tol}; it is a share of the largest singular value, from 0 to below 1.")
        self.shape, self.tol = tuple(shape), tol
        matrix = matrix.detach().double()
        u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
        self._matrix, self._u, self._s, self._vt = Placed(matrix), Placed(u), Placed(s), Placed(vt)
        self._largest = float(s[0])

    def _vector(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.shape:
            raise ShapeError(f"A matrix for images of shape {self.shape} met images of shape {tuple(x.shape[1:])}.")
        return x.flatten(1)

    def _image(self, vector: Tensor) -> Tensor:
        return vector.reshape(len(vector), *self.shape)

    def forward(self, x: Tensor) -> Tensor:
        """The matrix times each image."""
        return self._vector(x) @ self._matrix.like(x).T

    def _check(self, y: Tensor) -> None:
        if y.ndim != 2 or y.shape[1] != len(self._matrix.value):
            raise ShapeError(
                f"This matrix measures (B, {len(self._matrix.value)}) numbers; it got shape {tuple(y.shape)}."
            )

    def adjoint(self, y: Tensor) -> Tensor:
        """The transposed matrix times y, as images."""
        self._check(y)
        return self._image(y @ self._matrix.like(y))

    def _seen(self, s: Tensor) -> Tensor:
        return s > self.tol * self._largest

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """Every right singular vector's share of x times its gain."""
        s, vt, vector = self._s.like(x), self._vt.like(x), self._vector(x)
        shares = vector @ vt.T
        filtered = (shares * gain(s * self._seen(s))) @ vt
        if vt.shape[0] < vt.shape[1]:
            filtered = filtered + gain(s.new_zeros(())) * (vector - shares @ vt)
        return self._image(filtered)

    def pinv(self, y: Tensor) -> Tensor:
        """V diag(1/s) U' y, without the singular values that count as zero."""
        self._check(y)
        s = self._s.like(y)
        return self._image((y @ self._u.like(y) * torch.where(self._seen(s), 1 / s, 0)) @ self._vt.like(y))

    def prox(self, v: Tensor, y: Tensor, lam: float) -> Tensor:
        """The x for which lam/2 |A x - y|^2 + 1/2 |x - v|^2 is least."""
        measured = self.forward(v)
        check_prox(lam, measured, y)
        s = self._s.like(v)
        shares = (y - measured) @ self._u.like(v) * (s / (1 / lam + s**2))
        return v + self._image(shares @ self._vt.like(v))

    def norm(self) -> float:
        """The largest singular value."""
        return self._largest
