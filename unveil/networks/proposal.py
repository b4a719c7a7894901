"""A small generator that proposes images: a latent vector becomes a picture in one pass, sample by sample."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.layers.memory import channels_last

REACH = 2.0
"""The size of the largest pixel: beyond 1, so that what comes after may pull it back."""


class ChannelAffine(nn.Module):
    """A scale and a shift for each channel: what is left of a batch norm that never looks at the batch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        return torch.addcmul(self.shift, x, self.scale)


class GrowingBlock(nn.Module):
    """Twice the sides: two convolutions, added to the enlarged input."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.affine1, self.affine2 = ChannelAffine(inputs), ChannelAffine(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, 2H, 2W)."""
        h = self.conv1(_larger(F.relu(self.affine1(x))))
        out: Tensor = self.conv2(F.relu(self.affine2(h))) + _larger(self.skip(x))
        return out


class Proposal(nn.Module):
    """Latents (B, latent) -> images (B, C, H, W) in [-2, 2].

    A linear layer makes the smallest picture, and each block after it doubles the sides. Nothing is normalised by batch
    statistics, so a sample is a plain function of its own latent.

    Args:
        shape: of an image, (C, H, W); both sides divide by 2 for each width after the first.
        latent: numbers of a latent.
        widths: channels of the smallest picture, then of each block.

    Raises:
        ConfigError: an argument cannot work.

    Source: Miyato et al. (2018), arXiv:1802.05957, appendix B; without batch statistics: Hill et al. (2022), Hat EBM,
    released code.
    """

    def __init__(
        self, shape: Sequence[int], *, latent: int = 128, widths: Sequence[int] = (256, 256, 256, 256)
    ) -> None:
        super().__init__()
        channels, height, width = shape
        factor = 2 ** (len(widths) - 1)
        if min(latent, channels) < 1 or not widths or min(widths) < 1:
            raise ConfigError(f"Proposal got latent={latent}, widths={tuple(widths)}; each must be 1 or more.")
        if height % factor or width % factor:
            raise ConfigError(
                f"Images of {height} x {width} cannot be halved {len(widths) - 1} times; give the proposal {len(widths) - 1} "
                "widths or fewer."
            )
        self.latent, self.start = latent, (widths[0], height // factor, width // factor)
        self.first = nn.Linear(latent, widths[0] * self.start[1] * self.start[2])
        self.blocks = nn.Sequential(*(GrowingBlock(a, b) for a, b in pairwise(widths)))
        self.affine = ChannelAffine(widths[-1])
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)
        channels_last(self)

    def forward(self, z: Tensor) -> Tensor:
        """Latents (B, latent) -> images (B, C, H, W).

        Raises:
            ShapeError: latents of another length.
        """
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise ShapeError(f"The proposal takes latents (B, {self.latent}); it got {tuple(z.shape)}.")
        h = self.blocks(self.first(z).unflatten(1, self.start).contiguous(memory_format=torch.channels_last))
        return REACH * torch.tanh(self.last(F.relu(self.affine(h))))


def _larger(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
