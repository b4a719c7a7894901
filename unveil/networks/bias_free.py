"""A U-Net without biases and without normalization, that takes noise from pictures of any size."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.layers.memory import channels_last


class BiasFreeUNet(nn.Module):
    """Residual convolutions at several scales; the noise they find is taken from the image.

    Nothing is added anywhere, so a picture with all its noise twice as strong is answered twice as strongly: what is
    learned at some noise levels serves at others. Nothing looks further than some dozens of pixels, so that a
    picture may be worked on in pieces.

    Args:
        in_channels: channels of the images.
        channels: width of the first scale.
        mult: width of each scale, in multiples of channels.
        blocks: residual blocks a scale, on the way down and again on the way up.

    Raises:
        ConfigError: a number below 1.

    Source: Mohan et al. (2020), arXiv:1906.05478, for leaving the biases out; Zhang et al. (2021), arXiv:2008.13751, for
    the shape of the network.
    """

    def __init__(
        self, in_channels: int, *, channels: int = 32, mult: Sequence[int] = (1, 2, 4), blocks: int = 2
    ) -> None:
        super().__init__()
        if not mult or min(in_channels, channels, blocks, *mult) < 1:
            raise ConfigError(
                f"BiasFreeUNet got in_channels={in_channels}, channels={channels}, mult={tuple(mult)}, blocks={blocks}; "
                "each must be at least 1, and there must be a scale."
            )
        self.in_channels = in_channels
        self.divisor = 2 ** (len(mult) - 1)
        widths = [channels * m for m in mult]
        pairs = list(pairwise(widths))
        self.first = _conv(in_channels, widths[0])
        self.before = nn.ModuleList(_blocks(width, blocks) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2, bias=False) for fine, coarse in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=False) for fine, coarse in pairs)
        self.after = nn.ModuleList(_blocks(width, blocks) for width in widths[:-1])
        self.last = _conv(widths[0], in_channels, scale=0.1)
        for layer in (*self.down, *self.up):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
        channels_last(self)

    def forward(self, y: Tensor) -> Tensor:
        """Noisy images (B, in_channels, H, W), of any size -> clean images, of the same shape.

        Raises:
            ShapeError: other channels.
        """
        if y.ndim != 4 or y.shape[1] != self.in_channels:
            raise ShapeError(f"The network was given {tuple(y.shape)}; it takes images (B, {self.in_channels}, H, W).")
        height, width = y.shape[2:]
        padded = F.pad(y, (0, -width % self.divisor, 0, -height % self.divisor), mode="replicate")
        h = first = self.first(padded.contiguous(memory_format=torch.channels_last))
        left = []
        for blocks, down in zip(self.before, self.down, strict=False):
            h = blocks(h)
            left.append(h)
            h = down(h)
        h = self.before[-1](h)
        for up, blocks in zip(reversed(self.up), reversed(self.after), strict=True):
            h = blocks(up(h) + left.pop())
        return y - self.last(h + first)[..., :height, :width].contiguous()


class _Block(nn.Module):
    """Two convolutions with a kink between, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(width, width), _conv(width, width, scale=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(F.relu(self.conv1(x), inplace=True)).add_(x)


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(width) for _ in range(count)))


def _conv(inputs: int, outputs: int, scale: float = 1.0) -> nn.Conv2d:
    """A 3 x 3 convolution without bias, whose first weights keep the strength of what passes, times a scale."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    with torch.no_grad():
        layer.weight.mul_(scale)
    return layer
