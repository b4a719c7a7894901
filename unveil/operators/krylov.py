"""What any linear operator can do with nothing but its forward and its adjoint.

Least squares by conjugate gradients, functions of the singular values by Golub-Kahan-Lanczos bidiagonalisation and the
norm by power iteration. Each sample of a batch goes its own way, and rests when it has arrived.

Source: Hestenes and Stiefel (1952); Golub and Kahan (1965); Simon and Zha (2000) for one-sided orthogonalisation.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DivergenceError
from unveil.operators.arguments import NEGLIGIBLE, check_prox


class Krylov(ABC):
    """An operator of which only forward and adjoint are known; all else is iterated until it stands.

    Attributes:
        shape: of one image, (C, H, W), or None; only `norm` needs it.
        dtype, device: of the images that `norm` tries.
        tol: relative accuracy that iterations aim at; in float32 no better than 1e-6.
        iterations: the most steps of conjugate gradients and of the power iteration.
        directions: the most directions that `filtered` explores from an image; it holds an image for each.
    """

    shape: tuple[int, ...] | None = None
    dtype: torch.dtype = torch.float64
    device: torch.device | str = "cpu"
    tol: float = 1e-11
    iterations: int = 500
    directions: int = 80

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """A x."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """A' y."""

    def _accuracy(self, x: Tensor) -> float:
        return max(self.tol, 10 * torch.finfo(x.dtype).eps)

    def pinv(self, y: Tensor) -> Tensor:
        """A+ y: of all x whose A x is nearest to y, the smallest.

        What small singular values hide is found last, and not at all where `iterations` end before.
        """
        return self._least_squares(y, 0.0)

    def prox(self, v: Tensor, y: Tensor, lam: float) -> Tensor:
        """The x for which lam/2 |A x - y|^2 + 1/2 |x - v|^2 is least."""
        measured = self.forward(v)
        check_prox(lam, measured, y)
        return v + self._least_squares(y - measured, 1 / lam)

    def _least_squares(self, y: Tensor, damping: float) -> Tensor:
        """The x for which |A x - y|^2 + damping |x|^2 is least, by conjugate gradients on the normal equations."""
        residual, slope = y, self.adjoint(y)
        x, direction = 0 * slope, slope  # a NaN stays one
        size = _dot(slope, slope)
        goal = size * self._accuracy(y) ** 2
        for _ in range(self.iterations):
            going = size > goal
            if not bool(going.any()):
                break
            image = self.forward(direction)
            curvature = _dot(image, image) + damping * _dot(direction, direction)
            step = torch.where(going, size / curvature, 0)  # a sample that has arrived stands still
            x = x + _times(step, direction)
            residual = residual - _times(step, image)
            slope = self.adjoint(residual) - damping * x
            before, size = size, torch.where(going, _dot(slope, slope), size)
            direction = slope + _times(size / before, direction)
        return x

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """V diag(gain(s)) V' x, as nearly as `directions` directions allow.

        Exact once they outnumber the distinct singular values, and close much sooner for a smooth gain; where a gain
        jumps, singular values near the jump may be taken for one of its other side. Below 1e-6 of the largest they
        count as zero.
        """
        if not bool(x.isfinite().all()):
            raise DivergenceError("An operator was to filter images that hold a NaN or an infinity.")
        length = _dot(x, x).sqrt()
        right = [_unit(x, length)]
        diagonal: list[Tensor] = []
        above: list[Tensor] = []
        # A [v_1 .. v_k] = [u_1 .. u_k] B with B upper bidiagonal and v_1 = x / |x|. That the v are kept orthogonal
        # suffices for the u, of which only the last is needed.
        u, alpha = _new_direction(self.forward(right[0]), [], [])
        while True:
            diagonal.append(alpha)
            w = self.adjoint(u) - _times(alpha, right[-1])
            v, beta = _new_direction(w, right, diagonal + above)
            if len(right) == self.directions or not bool(beta.any()):
                break
            right.append(v)
            above.append(beta)
            u, alpha = _new_direction(self.forward(v) - _times(beta, u), [], diagonal + above)
        weights = (_shares(diagonal, above, gain) * length[:, None]).to(x.dtype).unbind(1)
        filtered = torch.zeros_like(x)
        for weight, direction in zip(weights, right, strict=True):
            filtered = filtered + _times(weight, direction)
        return filtered

    def norm(self) -> float:
        """The largest singular value to about four digits, by power iteration, always from the same start."""
        if self.shape is None:
            raise ConfigError(
                f"The norm of this {type(self).__name__} depends on the size of the images; give it shape=(C, H, W)."
            )
        start = torch.randn(1, *self.shape, generator=torch.Generator().manual_seed(0), dtype=self.dtype)
        x, value = start.to(self.device), 0.0
        for _ in range(self.iterations):
            x = self.adjoint(self.forward(_unit(x, _dot(x, x).sqrt())))
            before, value = value, float(x.norm())
            if abs(value - before) <= 1e-9 * value:
                break
        return math.sqrt(value)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each sample, (B,)."""
    return (a * b).flatten(1).sum(1)


def _times(factor: Tensor, x: Tensor) -> Tensor:
    """Each sample times its own factor, (B,)."""
    return factor[(...,) + (None,) * (x.ndim - 1)] * x


def _unit(x: Tensor, length: Tensor) -> Tensor:
    """Each sample divided by its length; 0 stays 0."""
    return _times(torch.where(length > 0, 1 / length, 0), x)


def _new_direction(x: Tensor, basis: Sequence[Tensor], scales: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The unit vector of what x has beyond an orthonormal basis, and its length; both 0 where only rounding is left."""
    for known in [*basis, *basis]:  # twice, because the first round leaves rounding errors of the size of x
        x = x - _times(_dot(known, x), known)
    length = _dot(x, x).sqrt()
    if scales:
        rounding = 100 * torch.finfo(x.dtype).eps * torch.stack(list(scales)).amax(0)
        length = torch.where(length > rounding, length, 0)
    return _unit(x, length), length


def _shares(diagonal: Sequence[Tensor], above: Sequence[Tensor], gain: Callable[[Tensor], Tensor]) -> Tensor:
    """The first column of V diag(gain(s)) V' of the bidiagonal matrix B = U diag(s) V', (B, k), float64."""
    main = torch.stack(list(diagonal), 1).double()
    matrix = torch.diag_embed(main)
    if above:
        side = torch.stack(list(above), 1).double()
        matrix = matrix + torch.diag_embed(side, 1)
        # Where a sample has arrived, what follows is no part of it: a singular value that is there already.
        ended = torch.cat((torch.zeros_like(main[:, :1]), (side == 0).cumsum(1)), 1) > 0
        matrix = torch.where(torch.diag_embed(ended), main.amax(1)[:, None, None], matrix)
    _, s, vt = torch.linalg.svd(matrix)
    s = s * (s > NEGLIGIBLE * s[:, :1])
    return torch.einsum("bik,bi->bk", vt, gain(s) * vt[..., 0])


class General(Krylov):
    """A linear operator of your own, from a function.

    Args:
        forward: x -> A x, linear and differentiable, (B, C, H, W) -> (B, ...), samples apart.
        shape: of one image, (C, H, W).
        adjoint: y -> A' y; without it automatic differentiation finds it.
        dtype, device: of the images that `norm` tries.
        tol, iterations, directions: how long to iterate, see `Krylov`.
    """

    shape: tuple[int, ...]

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        shape: tuple[int, ...],
        adjoint: Callable[[Tensor], Tensor] | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        tol: float = Krylov.tol,
        iterations: int = Krylov.iterations,
        directions: int = Krylov.directions,
    ) -> None:
        self._forward, self._adjoint = forward, adjoint
        self.shape, self.dtype, self.device = tuple(shape), dtype, device
        self.tol, self.iterations, self.directions = tol, iterations, directions

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        return self._forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """A' y."""
        if self._adjoint is not None:
            return self._adjoint(y)
        start = torch.zeros(len(y), *self.shape, dtype=y.dtype, device=y.device)
        return torch.func.vjp(self._forward, start)[1](y)[0]
