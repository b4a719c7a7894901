"""Blurs and downsamplings one after another, in Fourier space."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from unveil.operators.arguments import NEGLIGIBLE, check_prox
from unveil.operators.blur import Blur
from unveil.operators.chain import back_through, through
from unveil.operators.downsample import Downsample


class Periodic:
    """A product of circular blurs and block means: A A' is a circular blur of the small image, A A' = F* diag(s^2) F.

    Shifting the large image by one block shifts the small one by a pixel, so A A' commutes with all shifts, and what it
    makes of a single bright pixel tells all of it: the frequencies that fold onto one another are in that already.
    """

    def __init__(self, operators: Sequence[Blur | Downsample]) -> None:
        self.operators = tuple(operators)
        self.factor = math.prod(part.factor for part in operators if isinstance(part, Downsample))
        self._strengths = lru_cache(maxsize=4)(self._make_strength)

    def _make_strength(self, height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        # A tensor made in inference mode could not be used in training afterwards.
        with torch.inference_mode(False), torch.no_grad():
            pixel = torch.zeros(1, 1, height, width, dtype=torch.float64)
            pixel[..., 0, 0] = 1
            squares = torch.fft.rfft2(self.forward(self.adjoint(pixel)))[0, 0].real
            return squares.clamp(min=0).sqrt().to(device=device, dtype=dtype)

    def _strength(self, y: Tensor) -> Tensor:
        """The singular values, on half the plane of the small image's frequencies."""
        return self._strengths(y.shape[-2], y.shape[-1], y.device, y.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        return through(self.operators, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """A' y."""
        return back_through(self.operators, y)

    def _weighed(self, y: Tensor, weight: Tensor) -> Tensor:
        """U diag(weight) U' y."""
        return torch.fft.irfft2(torch.fft.rfft2(y) * weight, s=y.shape[-2:])

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """V diag(gain(s)) V' x = gain(0) x + A' U diag((gain(s) - gain(0)) / s^2) U' A x."""
        exact = x.double()  # the division by s^2 asks for it
        measured = self.forward(exact)
        s = self._strength(measured)
        s = s * (s > NEGLIGIBLE * s.max())
        unseen = gain(s.new_zeros(()))
        weight = torch.where(s > 0, (gain(s) - unseen) / s**2, 0)
        return (unseen * exact + self.adjoint(self._weighed(measured, weight))).to(x.dtype)

    def pinv(self, y: Tensor) -> Tensor:
        """A+ y = A' (A A')+ y."""
        s = self._strength(y)
        return self.adjoint(self._weighed(y, torch.where(s > NEGLIGIBLE * s.max(), s**-2, 0)))

    def prox(self, v: Tensor, y: Tensor, lam: float) -> Tensor:
        """The x for which lam/2 |A x - y|^2 + 1/2 |x - v|^2 is least."""
        measured = self.forward(v)
        check_prox(lam, measured, y)
        s = self._strength(y)
        return v + self.adjoint(self._weighed(y - measured, 1 / (1 / lam + s**2)))

    def norm(self) -> float:
        """The largest singular value; where kernels have both signs, the largest for images of many sizes."""
        blurs = [part for part in self.operators if isinstance(part, Blur)]
        if all(bool((blur.kernel >= 0).all() | (blur.kernel <= 0).all()) for blur in blurs):
            # A flat picture keeps as much of itself as any picture can.
            return math.prod(part.norm() for part in self.operators)
        side = max(64, *(4 * side for blur in blurs for side in blur.kernel.shape))
        return float(self._make_strength(side, side, torch.device("cpu"), torch.float64).max())
