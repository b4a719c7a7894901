"""The same noise on planes of another size."""

import torch
from torch import Tensor

from unveil.core.errors import ShapeError
from unveil.core.protocols import Covariance
from unveil.covariance.circulant import Circulant


def on_plane(cov: Covariance, height: int, width: int) -> Covariance:
    """Noise on height x width planes that looks, through a window of the size it was made for, as it did there.

    White noise is white anywhere. The spectrum of stationary noise is read off between its own frequencies, in a straight
    line: correlations up to half the old size stay, longer ones, which only wrapping round had made, fade out. A free field
    made anew would not do, for on a larger plane its power lies in waves that no window shows. Other noise knows its own
    size alone, and is given back for that to be said where it is used.

    Args:
        cov: the noise as it is.
        height: of the other planes.
        width: of the other planes.

    Returns:
        The covariance there; `cov` itself where nothing changes. The mean variance stays.

    Raises:
        ShapeError: a side below 1.
    """
    if min(height, width) < 1:
        raise ShapeError(f"Planes have sides of 1 or more; these are {height} x {width}.")
    if not isinstance(cov, Circulant) or (cov.height, cov.width) == (height, width):
        return cov
    spectrum = _between(_between(cov.spectrum, height, -2), width, -1)
    kept = cov.spectrum.mean((-2, -1), keepdim=True) / spectrum.mean((-2, -1), keepdim=True)
    return Circulant(spectrum * kept, normalize=False)


def _between(spectrum: Tensor, side: int, axis: int) -> Tensor:
    """A spectrum, which begins anew beyond its end, at `side` even places along an axis."""
    length = spectrum.shape[axis]
    place = torch.arange(side, dtype=torch.float64) * length / side
    below = place.floor().long()
    share = (place - below).reshape(-1, *(1,) * (-1 - axis))
    low, high = (spectrum.index_select(axis, index % length) for index in (below, below + 1))
    return torch.lerp(low, high, share)
