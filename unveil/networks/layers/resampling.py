"""Halving and doubling the sides of an image."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.networks.layers.initialization import initialize

Padding = Literal["both", "end"]
"""Where a row and a column of zeros are added before a stride of 2: on both sides, or after the last."""


class ConvDownsample(nn.Module):
    """Halve the sides with a convolution of stride 2; like all layers of a U-Net it is given a shift, but wants none.

    Args:
        channels: channels of input and output.
        padding: where zeros are added.

    Source: Ho et al. (2020), arXiv:2006.11239, whose code pads the end.
    """

    shifts = 0

    def __init__(self, channels: int, padding: Padding = "both") -> None:
        super().__init__()
        self.padding = padding
        self.conv = initialize(nn.Conv2d(channels, channels, 3, stride=2, padding=1 if padding == "both" else 0))

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H/2, W/2)."""
        return self.conv(x if self.padding == "both" else F.pad(x, (0, 1, 0, 1)))


class ConvUpsample(nn.Module):
    """Repeat every pixel in both directions, and convolve; like all layers of a U-Net it is given a shift, but wants none.

    Args:
        channels: channels of input and output.

    Source: Ho et al. (2020), arXiv:2006.11239. Departs in how it is computed, see `forward`.
    """

    shifts = 0

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = initialize(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2H, 2W).

        A 3 x 3 filter meets only 2 x 2 different pixels of a repeated image, so its nine weights can be summed into
        four for each of the four places of an output pixel: a transposed convolution, with 4/9 of the products and no
        repeated image in memory. Where pixels are few, summing the weights would cost more than it saves.
        """
        batch, channels, height, width = x.shape
        if batch * height * width < 2 * channels:
            return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        kernel = self.conv.weight.permute(
            1, 2, 3, 0
        ).contiguous()  # (in, 3, 3, out), so that the result is channels-last
        kernel = _spread(_spread(kernel, 1), 2).permute(0, 3, 1, 2)  # (in, out, 4, 4)
        return F.conv_transpose2d(x, kernel, self.conv.bias, stride=2, padding=1)


def _spread(weight: Tensor, axis: int) -> Tensor:
    """Three weights along an axis, met by repeated pixels, to the four of a transposed convolution of stride 2."""
    before, centre, after = weight.unbind(axis)
    return torch.stack([after, centre + after, before + centre, before], axis)


class Average(nn.Module):
    """Halve the sides by the mean of each 2 x 2 block."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H/2, W/2)."""
        return F.avg_pool2d(x, 2)


class Repeat(nn.Module):
    """Double the sides by repeating every pixel in both directions."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2H, 2W)."""
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Smooth(nn.Module):
    """Halve or double the sides through the filter [1, 3, 3, 1] in both directions, which leaves no checkerboard.

    A constant image stays constant, but for its border, beyond which there are zeros.

    Source: Zhang (2019), arXiv:1904.11486; its use in U-Nets is Song et al. (2021), arXiv:2011.13456, appendix H.
    """

    kernel: Tensor

    def __init__(self, direction: Literal["up", "down"]) -> None:
        super().__init__()
        self.direction = direction
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        # Going up an output pixel meets a quarter of the taps, hence the gain of 4.
        self.register_buffer("kernel", taps.outer(taps) / (64 if direction == "down" else 16), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H/2, W/2) or (B, C, 2H, 2W)."""
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, 4, 4)
        filtered = F.conv2d if self.direction == "down" else F.conv_transpose2d
        return filtered(x, kernel, stride=2, padding=1, groups=channels)


def resampler(direction: Literal["up", "down"], smooth: bool) -> nn.Module:
    """A resampling without weights: smooth, or by plain means and repeats."""
    if smooth:
        return Smooth(direction)
    return Average() if direction == "down" else Repeat()
