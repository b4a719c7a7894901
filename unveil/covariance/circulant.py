"""Stationary noise: the same correlations everywhere, the image wrapping round at its borders."""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.covariance.normalize import to_unit_mean


class Circulant:
    """Sig is diagonal in the Fourier basis of the plane: R z = irfft2(sqrt(spectrum) rfft2(z)).

    R is real and symmetric. The noise is periodic: opposite borders are correlated.

    Args:
        spectrum: eigenvalues on the full grid of frequencies as `torch.fft.fft2` orders them, (H, W) or (C, H, W), above
            zero and equal at k and -k.
        normalize: rescale to mean 1, which gives every pixel variance exactly 1.
    """

    def __init__(self, spectrum: Tensor, *, normalize: bool = True) -> None:
        if spectrum.ndim < 2:
            raise ShapeError(f"A spectrum has shape (H, W) or (C, H, W); this one has {tuple(spectrum.shape)}.")
        if not bool((spectrum > 0).all() & spectrum.isfinite().all()):
            raise ConfigError(
                f"Every eigenvalue of a spectrum is finite and above zero; the smallest here is {float(spectrum.min()):.3g}. "
                "A zero leaves a frequency without noise, and the score undefined."
            )
        spectrum = spectrum.double()
        mirrored = spectrum.flip((-2, -1)).roll((1, 1), (-2, -1))
        if not torch.allclose(spectrum, mirrored, rtol=1e-6, atol=0):
            raise ConfigError("A spectrum must be equal at frequencies k and -k, or the noise would not be real.")
        self.spectrum = to_unit_mean(spectrum, normalize)
        self.height, self.width = self.spectrum.shape[-2:]
        self._half = self.spectrum[..., : self.width // 2 + 1]
        self._gains: dict[tuple[float, torch.device, torch.dtype], Tensor] = {}

    def _filter(self, x: Tensor, power: float) -> Tensor:
        """Sig^power x."""
        if x.shape[-2:] != (self.height, self.width):
            raise ShapeError(
                f"Noise made for images of {self.height} x {self.width} met images of {x.shape[-2]} x {x.shape[-1]}."
            )
        # Half precision is too coarse for a Fourier transform of any size.
        exact = x if x.dtype in (torch.float32, torch.float64) else x.float()
        return self._transform(exact, power).to(x.dtype)

    def _transform(self, x: Tensor, power: float) -> Tensor:
        gain = self._gain(power, self._half, x)
        return torch.fft.irfft2(torch.fft.rfft2(x) * gain, s=(self.height, self.width))

    def _gain(self, power: float, eigenvalues: Tensor, x: Tensor) -> Tensor:
        key = (power, x.device, x.dtype)
        if key not in self._gains:
            self._gains[key] = (eigenvalues**power).to(x)
        return self._gains[key]

    def sqrt(self, z: Tensor) -> Tensor:
        """R z."""
        return self._filter(z, 0.5)

    def inv_sqrt(self, x: Tensor) -> Tensor:
        """R^-1 x."""
        return self._filter(x, -0.5)

    def apply(self, x: Tensor) -> Tensor:
        """Sig x."""
        return self._filter(x, 1.0)

    def solve(self, x: Tensor) -> Tensor:
        """Sig^-1 x."""
        return self._filter(x, -1.0)

    sqrt_t = sqrt
    inv_sqrt_t = inv_sqrt

    def eigenvalues(self) -> Tensor:
        """Eigenvalues on the full grid of frequencies, float64."""
        return self.spectrum

    def condition(self) -> float:
        """Largest over smallest eigenvalue."""
        return float(self.spectrum.max() / self.spectrum.min())

    def logdet(self) -> Tensor:
        """log det Sig of a plane, over the full spectrum: () or (C,), float64."""
        return self.spectrum.log().sum((-2, -1))
