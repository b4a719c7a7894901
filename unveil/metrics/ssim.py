"""Structural similarity."""

from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.divergences import structural_similarity
from unveil.metrics.measure import Measure
from unveil.metrics.psnr import check_same_images


def ssim(x: Tensor, y: Tensor, *, data_range: float = 2.0, window: int = 11, sigma: float = 1.5) -> Tensor:
    """Compute the mean structural similarity of each image: 1 where the two are equal.

    Local means, variances and covariance are weighted by a Gaussian window, as of a whole population (divided by n and
    not n - 1); only windows that lie inside the image count; channels are compared one by one and averaged; K1 = 0.01,
    K2 = 0.03. It is scikit-image's `structural_similarity` with gaussian_weights=True and use_sample_covariance=False.
    Everything is taken in float64, because a variance as E x^2 - (E x)^2 loses half the digits.

    Args:
        x: images, (..., C, H, W).
        y: what they should be, of the same shape.
        data_range: largest minus smallest possible value: 2 for [-1, 1], 1 for [0, 1], 255 for bytes.
        window: side of the window in pixels, odd.
        sigma: standard deviation of the window in pixels.

    Returns:
        One value per image, (...), float64.

    Raises:
        ShapeError: the shapes differ, or an image is smaller than the window.

    Source: Wang et al. (2004), Image quality assessment: from error visibility to structural similarity, eq. 13 to 17.
    """
    check_same_images(x, y, data_range)
    if window < 1 or window % 2 == 0 or sigma <= 0:
        raise ConfigError(f"ssim got window={window}, sigma={sigma}; the window must be odd and sigma above 0.")
    if min(x.shape[-2:]) < window:
        raise ShapeError(
            f"ssim got images of {x.shape[-2]}x{x.shape[-1]} pixels and a window of {window}; the window must fit. "
            "For smaller images give a smaller window, and say so beside the number."
        )
    return structural_similarity(x.double(), y.double(), data_range=data_range, window=window, sigma=sigma)


def measure_ssim(
    x: Tensor,
    y: Tensor,
    *,
    split: str,
    preprocessing: str,
    data_range: float = 2.0,
    window: int = 11,
    sigma: float = 1.5,
) -> Measure:
    """Average the SSIM over images, with its interval; see `ssim`."""
    values = ssim(x, y, data_range=data_range, window=window, sigma=sigma).flatten()
    return Measure.mean(
        "ssim",
        values,
        split=split,
        preprocessing=preprocessing,
        better="high",
        notes=[f"data range {data_range:g}", f"gaussian window {window}, sigma {sigma:g}", "channels averaged"],
    )
