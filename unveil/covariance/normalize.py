"""One scale for all noise: mean variance 1."""

import warnings

from torch import Tensor


def to_unit_mean(variance: Tensor, normalize: bool) -> Tensor:
    """Divide variances or eigenvalues by their mean over the plane; without `normalize` only warn where it is not 1."""
    mean = variance.mean((-2, -1), keepdim=True)
    if normalize:
        return variance / mean
    if float((mean - 1).abs().max()) > 1e-3:
        warnings.warn(
            f"The noise has mean variance {float(mean.mean()):.4g}, not 1: signal-to-noise ratios and loss weights of the "
            "schedule no longer mean what they say.",
            stacklevel=3,
        )
    return variance
