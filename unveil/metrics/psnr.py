"""Peak signal to noise ratio."""

from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.shapes import mean_per_sample
from unveil.metrics.measure import Measure


def check_same_images(x: Tensor, y: Tensor, data_range: float) -> None:
    """Raise unless x and y are equally many images of one size, and the data range is above 0."""
    if x.shape != y.shape or x.ndim < 3:
        raise ShapeError(
            f"Images of shapes {tuple(x.shape)} and {tuple(y.shape)} were given to be compared; they must be equal, "
            "(B, C, H, W)."
        )
    if data_range <= 0:
        raise ConfigError(
            f"data_range={data_range} was given; it is 2 for images in [-1, 1], 1 in [0, 1], 255 in bytes."
        )


def psnr(x: Tensor, y: Tensor, *, data_range: float = 2.0) -> Tensor:
    """Compute 10 log10(range^2 / mean squared error) of each image in dB; infinite where the two are equal.

    Args:
        x: images or clips, (B, ...).
        y: what they should be, of the same shape.
        data_range: largest minus smallest possible value: 2 for [-1, 1], 1 for [0, 1], 255 for bytes.

    Returns:
        One value per sample, (B,), float64. The error is averaged over everything but the first axis, so a clip gets
        the value of its mean error; give frames as samples for the mean over frames.

    Raises:
        ShapeError: the shapes differ.
    """
    check_same_images(x, y, data_range)
    return 10 * (data_range**2 / mean_per_sample((x.double() - y.double()).square())).log10()


def measure_psnr(x: Tensor, y: Tensor, *, split: str, preprocessing: str, data_range: float = 2.0) -> Measure:
    """Average the PSNR over images, in dB, with its interval; see `psnr`."""
    values = psnr(x, y, data_range=data_range)
    return Measure.mean(
        "psnr",
        values,
        split=split,
        preprocessing=preprocessing,
        unit="dB",
        better="high",
        notes=[f"data range {data_range:g}", "mean of each image's value"],
    )
