"""Structural similarity, as a number of which gradients can be taken."""

import torch
import torch.nn.functional as F
from torch import Tensor


def structural_similarity(
    x: Tensor, y: Tensor, *, data_range: float = 2.0, window: int = 11, sigma: float = 1.5
) -> Tensor:
    """Compute the mean structural similarity of each image, in the precision it is given in: 1 where the two are equal.

    `unveil.metrics.ssim` is the same as a figure to report: it looks at its arguments, and takes them in float64.

    Args:
        x: images, (..., C, H, W), no smaller than the window.
        y: what they should be, of the same shape.
        data_range: largest minus smallest possible value: 2 for [-1, 1].
        window: side of the Gaussian window in pixels, odd.
        sigma: its standard deviation in pixels.

    Returns:
        One value per image, (...): the mean over its channels and over the windows that lie inside it.

    Source: Wang et al. (2004), Image quality assessment: from error visibility to structural similarity, eq. 13 to 17.
    """
    weights, shape = _gaussian(window, sigma, x), x.shape
    x, y = (z.reshape(-1, 1, *shape[-2:]) for z in (x, y))

    def blur(z: Tensor) -> Tensor:  # one axis after the other, without padding
        return F.conv2d(F.conv2d(z, weights[None, None, :, None]), weights[None, None, None, :])

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    cov = blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * cov + c2) / (var_x + var_y + c2)
    return (luminance * structure).reshape(*shape[:-3], -1).mean(-1)


def _gaussian(window: int, sigma: float, like: Tensor) -> Tensor:
    steps = torch.arange(window, dtype=torch.float64, device=like.device) - window // 2
    weights = torch.exp(-(steps**2) / (2 * sigma**2))
    return (weights / weights.sum()).to(like.dtype)
