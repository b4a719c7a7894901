"""Blur with any kernel, the image wrapping round at its borders."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.operators.arguments import NEGLIGIBLE, check_kernel, check_prox


class Blur:
    """Circular convolution of each channel with one kernel, diagonal in Fourier space: A = F* diag(h) F.

    Pixel floor(k/2) of a side of k is the kernel's centre. A blur of one sign that sums to 1 keeps flat pictures.

    Args:
        kernel: (height, width), of any size up to the image's; used as it is, not scaled to sum 1.
        tol: frequencies weaker than this share of the strongest count as lost in `pinv` and `filtered`.
    """

    def __init__(self, kernel: Tensor, *, tol: float = NEGLIGIBLE) -> None:
        if not 0 <= tol < 1:
            raise ConfigError(f"Blur got tol={tol}; it is a share of the strongest frequency, from 0 to below 1.")
        self.kernel = check_kernel(kernel, 2)
        self.tol = tol
        self._responses = lru_cache(maxsize=4)(self._make_response)

    def _make_response(self, height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        rows, columns = self.kernel.shape
        if rows > height or columns > width:
            raise ShapeError(
                f"A blur's kernel of {rows} x {columns} met images of {height} x {width}; the kernel must fit inside. "
                "Crop it, or blur less."
            )
        # A response made in inference mode could not be used in training afterwards.
        with torch.inference_mode(False), torch.no_grad():
            plane = self.kernel.new_zeros(height, width)
            plane[:rows, :columns] = self.kernel
            response = torch.fft.rfft2(plane.roll((-(rows // 2), -(columns // 2)), (0, 1)))
            return response.to(device=device, dtype=dtype.to_complex())

    def _response(self, x: Tensor) -> Tensor:
        """The h of A = F* diag(h) F, on half the plane of frequencies, (H, W // 2 + 1)."""
        return self._responses(x.shape[-2], x.shape[-1], x.device, x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """X convolved with the kernel."""
        return _back(torch.fft.rfft2(x) * self._response(x), x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Y correlated with the kernel."""
        return _back(torch.fft.rfft2(y) * self._response(y).conj(), y)

    def _seen(self, strength: Tensor) -> Tensor:
        return strength > self.tol * strength.max()

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """Every frequency times the gain of its own singular value, |h|."""
        strength = self._response(x).abs()
        return _back(torch.fft.rfft2(x) * gain(strength * self._seen(strength)), x)

    def pinv(self, y: Tensor) -> Tensor:
        """Every frequency divided by h, and those that were lost set to 0."""
        response = self._response(y)
        inverse = torch.where(self._seen(response.abs()), 1 / response, 0)
        return _back(torch.fft.rfft2(y) * inverse, y)

    def prox(self, v: Tensor, y: Tensor, lam: float) -> Tensor:
        """The x for which lam/2 |A x - y|^2 + 1/2 |x - v|^2 is least."""
        check_prox(lam, v, y)
        h = self._response(v)
        spectrum = torch.fft.rfft2(v)
        residual = torch.fft.rfft2(y) - h * spectrum
        return v + _back(residual * (h.conj() / (1 / lam + h.abs() ** 2)), v)

    def norm(self) -> float:
        """The largest |h|: |sum of the kernel| when its numbers have one sign.

        Otherwise it depends on the size of the image a little; this is the largest for images of many sizes.
        """
        if bool((self.kernel >= 0).all() | (self.kernel <= 0).all()):
            return abs(float(self.kernel.sum()))
        size = [max(512, 16 * side) for side in self.kernel.shape]
        return float(torch.fft.rfft2(self.kernel, s=size).abs().max())


def _back(spectrum: Tensor, x: Tensor) -> Tensor:
    return torch.fft.irfft2(spectrum, s=x.shape[-2:])
