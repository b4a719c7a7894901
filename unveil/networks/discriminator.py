"""A critic that tells real images of a level of degradation from restored and degraded ones."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.layers import SinusoidalFeatures, initialize, resampler
from unveil.networks.layers.memory import channels_last

_GAIN = 0.5**0.5


class CriticBlock(nn.Module):
    """Two convolutions, told the time by a shift, added to their input; the sides may be halved on both ways.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        time: numbers of the embedding of time.
        down: whether the sides are halved, through [1, 3, 3, 1].
    """

    def __init__(self, inputs: int, outputs: int, time: int, down: bool) -> None:
        super().__init__()
        self.resample = resampler("down", smooth=True) if down else nn.Identity()
        self.conv1 = initialize(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.time = initialize(nn.Linear(time, outputs))
        self.conv2 = initialize(nn.Conv2d(outputs, outputs, 3, padding=1), scale=0.0)
        self.skip = initialize(nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(B, inputs, H, W) and time (B, time) -> (B, outputs, H', W')."""
        h = self.conv1(_leaky(x)) + self.time(time)[:, :, None, None]
        h = self.conv2(self.resample(_leaky(h)))
        return (h + self.skip(self.resample(x))) * _GAIN


class Discriminator(nn.Module):
    """Judges images of level k: (y, k) -> (logit, features); it sees nothing of where they came from.

    A 1 x 1 convolution, residual blocks, the spread of features over small groups of the batch as one more channel, a
    convolution, the sum over space, a linear layer. Because of that spread an image's logit depends on its company:
    compare logits of batches of one size only.

    Args:
        channels_in: channels of the image.
        channels: of the first features.
        mult: channels that each block ends with, as multiples of `channels`.
        downs: how many blocks, the last ones, halve the sides; None means all but the first.
        time: numbers of the embedding of time.
        group: images over which the spread is taken; where it does not divide the batch, the largest common divisor.

    Raises:
        ConfigError: an argument cannot work.

    Source: Xiao et al. (2022), arXiv:2112.07804, appendix C; Choi et al. (2023), arXiv:2303.05456, who show it one image
    instead of two; the spread is Karras et al. (2018), arXiv:1710.10196, section 3.
    """

    def __init__(
        self,
        channels_in: int,
        *,
        channels: int = 128,
        mult: Sequence[int] = (1, 2, 4, 4),
        downs: int | None = None,
        time: int = 256,
        group: int = 4,
    ) -> None:
        super().__init__()
        downs = len(mult) - 1 if downs is None else downs
        if min(channels_in, channels, group) < 1 or not mult or min(mult) < 1 or not 0 <= downs <= len(mult):
            raise ConfigError(
                f"Discriminator got {channels_in} channels, channels={channels}, mult={tuple(mult)}, downs={downs}, "
                f"group={group}; all are at least 1, and downs is 0 to {len(mult)}, the number of blocks."
            )
        self.channels_in, self.group, self.divisor = channels_in, group, 2**downs
        self.features = SinusoidalFeatures(time, scale=1.0)
        self.time = nn.ModuleList([initialize(nn.Linear(time, time)), initialize(nn.Linear(time, time))])
        self.first = initialize(nn.Conv2d(channels_in, channels, 1))
        self.blocks = nn.ModuleList()
        width = channels
        for i, m in enumerate(mult):
            self.blocks.append(CriticBlock(width, m * channels, time, down=i >= len(mult) - downs))
            width = m * channels
        self.conv = initialize(nn.Conv2d(width + 1, width, 3, padding=1))
        self.last = initialize(nn.Linear(width, 1))
        channels_last(self)

    def forward(self, y: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Judge images.

        Args:
            y: (B, C, H, W); the sides are multiples of `divisor`.
            k: their level, integers (B,).

        Returns:
            Logits (B,), above 0 where an image seems real, and the features of the last block, (B, C', H', W').

        Raises:
            ShapeError: the channels or sides do not fit.
        """
        if y.ndim != 4 or y.shape[1] != self.channels_in or y.shape[2] % self.divisor or y.shape[3] % self.divisor:
            raise ShapeError(
                f"The discriminator was given {tuple(y.shape)}; it takes images (B, {self.channels_in}, H, W) whose sides "
                f"are multiples of {self.divisor}."
            )
        time = self.features(k).to(self.first.weight.dtype)
        time = _leaky(self.time[1](_leaky(self.time[0](time))))
        h = self.first(y)
        for block in self.blocks:
            h = block(h, time)
        judged = _leaky(self.conv(torch.cat([h, spread(h, self.group)], dim=1)))
        return self.last(judged.sum((2, 3))).squeeze(1), h


def spread(x: Tensor, group: int) -> Tensor:
    """The standard deviation of features within groups of a batch, averaged over all features, as one channel.

    Row i is in a group with the rows i + B/g, i + 2 B/g .. for groups of g images.

    Args:
        x: features, (B, C, H, W).
        group: images of a group; where it does not divide B, their largest common divisor is taken.

    Returns:
        (B, 1, H, W), one number for each group.
    """
    size = math.gcd(len(x), group)
    parts = x.unflatten(0, (size, -1))
    std = (parts.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # (B / size,)
    return std.repeat(size)[:, None, None, None].expand(-1, 1, *x.shape[2:])


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)
