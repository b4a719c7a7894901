"""Bits per dimension: how many bits a model spends on each number of an 8-bit image."""

from collections.abc import Sequence
from math import log, log2, prod

from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.metrics.measure import Measure


def bits_per_dim(log_likelihood: Tensor, shape: Sequence[int], *, data_range: float = 2.0, levels: int = 256) -> Tensor:
    """Turn the log density of images into bits per number of the same images in whole levels.

    -log p / (D ln 2) + log2(levels / range): a level is range / levels wide in the units of the density, which adds 7
    bits for images in [-1, 1] and 8 for images in [0, 1]. It bounds the bits of a lossless code from above where the
    density was taken at images that were dequantised uniformly, (byte + u) / 256 with u in [0, 1) before any scaling;
    at bare bytes it is meaninglessly low.

    Args:
        log_likelihood: natural logarithm of the density of each image, (B,).
        shape: the shape of one image, (C, H, W); D is its product.
        data_range: largest minus smallest possible value: 2 for [-1, 1], 1 for [0, 1].
        levels: how many levels the data was rounded to: 256 for 8-bit images.

    Returns:
        Bits per dimension, (B,).

    Raises:
        ShapeError: the log likelihood is not one number per image.
        ConfigError: a shape, range or number of levels that cannot be.

    Source: Theis et al. (2016), arXiv:1511.01844, section 3.1.
    """
    if log_likelihood.ndim != 1:
        raise ShapeError(f"The log likelihood has shape {tuple(log_likelihood.shape)}; it must be one per image, (B,).")
    if (dims := prod(shape)) < 1 or data_range <= 0 or levels < 1:
        raise ConfigError(
            f"bits_per_dim got shape={tuple(shape)}, data_range={data_range}, levels={levels}; all must be above 0. "
            "Images in [-1, 1] have data_range 2, and 8-bit images 256 levels."
        )
    return -log_likelihood / (dims * log(2)) + log2(levels / data_range)


def measure_bits_per_dim(
    log_likelihood: Tensor,
    shape: Sequence[int],
    *,
    split: str,
    preprocessing: str,
    data_range: float = 2.0,
    levels: int = 256,
) -> Measure:
    """Average bits per dimension over images, with its interval; see `bits_per_dim`."""
    values = bits_per_dim(log_likelihood.double(), shape, data_range=data_range, levels=levels)
    return Measure.mean(
        "bits-per-dim",
        values,
        split=split,
        preprocessing=preprocessing,
        unit="bits/dim",
        notes=[
            f"{prod(shape)} dimensions",
            f"+{log2(levels / data_range):g} bits for {levels} levels in {data_range:g}",
        ],
    )
