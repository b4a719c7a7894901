"""The Gaussian free field: smooth noise whose power falls with frequency, as that of natural images does."""

import math

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.covariance.circulant import Circulant
from unveil.covariance.identity import Identity


def free_field_spectrum(height: int, width: int, power: float = 1.0, dc: float = 1.0) -> Tensor:
    """Eigenvalues |f|^(-2 power) of the field, scaled to mean 1, on the frequencies of `torch.fft.fft2`.

    Args:
        power: decay of the amplitude with frequency; 0 is white, 1 the standard field.
        dc: the mean's frequency is set to dc times the smallest frequency that is not zero. At 0 the mean of an image
            would get no bounded noise at all, so it is refused.

    Returns:
        (height, width), float64.
    """
    if height < 1 or width < 1 or height * width < 2:
        raise ConfigError(f"A free field needs an image of at least two pixels; it got {height} x {width}.")
    if not 0 <= power < math.inf:
        raise ConfigError(f"The power of a free field is 0 or more (0 is white, 1 the standard field); it got {power}.")
    if not 0 < dc < math.inf:
        raise ConfigError(f"dc={dc} would leave the image's mean without a score; take it above zero.")
    fy = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    fx = torch.fft.fftfreq(width, dtype=torch.float64)
    frequency = (fy**2 + fx**2).sqrt()
    frequency[0, 0] = dc / max(height, width)
    spectrum = frequency ** (-2 * power)
    return spectrum / spectrum.mean()


def free_field(height: int, width: int, power: float = 1.0, *, dc: float = 1.0) -> Identity | Circulant:
    """Gaussian free field noise on height x width planes, with variance exactly 1 at every pixel.

    The power spectrum falls like |f|^(-2 power), f in cycles per pixel; any size will do, rectangles and odd sides too.
    At power 0 this is `Identity`, not a Fourier transform of nothing.

    Source: Sheffield (2007), arXiv:math/0312099, for the field; scaled so that the eigenvalues have mean 1.
    """
    spectrum = free_field_spectrum(height, width, power, dc)
    return Identity() if power == 0 else Circulant(spectrum)
