"""Blur down the columns and along the rows, with black beyond the borders."""

from collections.abc import Callable

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.operators.arguments import NEGLIGIBLE, check_kernel, check_prox
from unveil.operators.placed import Placed


class SeparableBlur:
    """Zero-padded convolution with an outer product of two kernels: A x = T_y x T_x', T_y and T_x Toeplitz.

    Its singular values are the products of theirs, so two small decompositions give all of them. The time to make one
    grows as H^3 + W^3: under a second up to some 500 pixels.

    Args:
        kernel_y, kernel_x: (length,), each centred at floor(length / 2).
        size: (H, W) of the images.
        tol: singular values below this share of the largest count as zero in `pinv` and `filtered`.
    """

    def __init__(self, kernel_y: Tensor, kernel_x: Tensor, size: tuple[int, int], *, tol: float = NEGLIGIBLE) -> None:
        if not 0 <= tol < 1:
            raise ConfigError(
                f"SeparableBlur got tol={tol}; it is a share of the largest singular value, from 0 to below 1."
            )
        self.size, self.tol = (size[0], size[1]), tol
        t_y, t_x = toeplitz(kernel_y, size[0]), toeplitz(kernel_x, size[1])
        (u_y, s_y, vt_y), (u_x, s_x, vt_x) = torch.linalg.svd(t_y), torch.linalg.svd(t_x)
        self._t_y, self._t_x, self._u_y, self._u_x = Placed(t_y), Placed(t_x), Placed(u_y), Placed(u_x)
        self._v_y, self._v_x, self._s = Placed(vt_y.T), Placed(vt_x.T), Placed(torch.outer(s_y, s_x))
        self._largest = float(s_y[0] * s_x[0])

    def _check(self, x: Tensor) -> None:
        if x.shape[-2:] != self.size:
            (height, width), given = self.size, x.shape[-2:]
            raise ShapeError(f"A blur for images of {height} x {width} met images of {given[0]} x {given[1]}.")

    def forward(self, x: Tensor) -> Tensor:
        """X convolved with both kernels."""
        self._check(x)
        return self._t_y.like(x) @ x @ self._t_x.like(x).T

    def adjoint(self, y: Tensor) -> Tensor:
        """Y correlated with both kernels."""
        self._check(y)
        return self._t_y.like(y).T @ y @ self._t_x.like(y)

    def _seen(self, s: Tensor) -> Tensor:
        return s > self.tol * self._largest

    def _image(self, shares: Tensor) -> Tensor:
        """V times the shares of the right singular vectors."""
        return self._v_y.like(shares) @ shares @ self._v_x.like(shares).T

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """Every right singular vector's share of x times its gain."""
        self._check(x)
        s = self._s.like(x)
        return self._image(self._v_y.like(x).T @ x @ self._v_x.like(x) * gain(s * self._seen(s)))

    def _measured(self, y: Tensor) -> Tensor:
        """The shares of the left singular vectors in y, U' y."""
        return self._u_y.like(y).T @ y @ self._u_x.like(y)

    def pinv(self, y: Tensor) -> Tensor:
        """V diag(1/s) U' y, without the singular values that count as zero."""
        self._check(y)
        s = self._s.like(y)
        return self._image(self._measured(y) * torch.where(self._seen(s), 1 / s, 0))

    def prox(self, v: Tensor, y: Tensor, lam: float) -> Tensor:
        """The x for which lam/2 |A x - y|^2 + 1/2 |x - v|^2 is least."""
        measured = self.forward(v)
        check_prox(lam, measured, y)
        s = self._s.like(v)
        return v + self._image(self._measured(y - measured) * (s / (1 / lam + s**2)))

    def norm(self) -> float:
        """The largest singular value."""
        return self._largest


def toeplitz(kernel: Tensor, side: int) -> Tensor:
    """The matrix (side, side) of a zero-padded convolution along a line, float64."""
    kernel = check_kernel(kernel, 1)
    length = len(kernel)
    if length > side:
        raise ShapeError(f"A blur's kernel of length {length} met images with a side of {side}; it must fit inside.")
    places = torch.arange(side, device=kernel.device)
    taps = places[:, None] - places + length // 2
    return torch.where((taps >= 0) & (taps < length), kernel[taps.clamp(0, length - 1)], 0)
