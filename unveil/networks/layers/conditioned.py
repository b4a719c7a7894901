"""Blocks whose normalizations are steered by the time, and pixel by pixel by what is known of the picture."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.networks.layers.initialization import initialize
from unveil.networks.layers.normalization import GroupNorm, silu


class Map(NamedTuple):
    """What a normalized picture is multiplied by and what is added to it, each (B, C, H, W), or (1, C, H, W) for all."""

    gain: Tensor
    shift: Tensor


def modulated(h: Tensor, steering: Tensor | None, known: Map | None) -> Tensor:
    """Scale and shift normalized features (B, C, H, W), first by a map, then by a vector (B, 2C): h (1 + scale) + shift."""
    if known is not None:
        h = torch.addcmul(known.shift, h, known.gain)
    if steering is not None:
        scale, shift = steering[:, :, None, None].chunk(2, dim=1)
        h = torch.addcmul(shift, h, 1 + scale)
    return h


class SpatialMaps(nn.Module):
    """One map for each of a network's normalizations, made of a picture that is known (SPATIN).

    The picture is brought to the size of the normalization by repeating or leaving out pixels; a convolution and SiLU
    follow, and one convolution each for gamma and beta: the map's gain is 1 + gamma, its shift beta. Neither the noisy
    picture nor the time has a say, so maps once made serve a whole walk. The first convolutions of all normalizations of
    one size are one convolution here, and so are the two of gamma and beta.

    Args:
        known: channels of the picture.
        norms: channels and level of each normalization; level n has 1 / 2^n of the picture's sides.
        width: channels between the convolutions.

    Source: Voleti et al. (2022), arXiv:2205.09853, section 3.2; the layer is Park et al. (2019), arXiv:1903.07291.
    """

    def __init__(self, known: int, norms: Sequence[tuple[int, int]], width: int) -> None:
        super().__init__()
        self.levels = [[i for i, (_, at) in enumerate(norms) if at == level] for level in range(_levels(norms))]
        self.first = nn.ModuleList(
            [initialize(nn.Conv2d(known, width * len(here), 3, padding=1), parts=len(here)) for here in self.levels]
        )
        self.second = nn.ModuleList(
            [initialize(nn.Conv2d(width, 2 * channels, 3, padding=1), parts=2) for channels, _ in norms]
        )

    def forward(self, known: Tensor) -> list[Map]:
        """The maps of a picture (B, known, H, W), in the order of the normalizations."""
        maps: dict[int, Map] = {}
        for level, (here, conv) in enumerate(zip(self.levels, self.first, strict=True)):
            size = [side >> level for side in known.shape[2:]]
            smaller = F.interpolate(known, size=size, mode="nearest") if level else known
            for i, features in zip(here, silu(conv(smaller)).chunk(len(here), dim=1), strict=True):
                gamma, beta = self.second[i](features).chunk(2, dim=1)
                maps[i] = Map(1 + gamma, beta)
        return [maps[i] for i in range(len(self.second))]


def _levels(norms: Sequence[tuple[int, int]]) -> int:
    return 1 + max(level for _, level in norms)


class ConditionedBlock(nn.Module):
    """Two convolutions, both after a normalization that is steered, added to their input.

    h = conv(silu(modulated(norm(x)))); h = conv(dropout(silu(modulated(norm(h))))); (x + h) / sqrt(2). The
    normalizations have no weights of their own: vectors made of the time scale and shift them, and maps where there are any.

    Args:
        inputs: channels of the input.
        outputs: channels of the output; where they differ, the input passes a 1 x 1 convolution.
        groups: groups of the first and of the second normalization.
        eps: of the normalizations.
        dropout: probability of dropping a number before the second convolution.
        resample: halves or doubles the sides of both branches, in front of the first convolution; the input then passes
            a 1 x 1 convolution too.

    Source: Voleti et al. (2022), arXiv:2205.09853, appendix A; Song et al. (2021), arXiv:2011.13456, appendix H.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        groups: tuple[int, int],
        eps: float,
        dropout: float = 0.0,
        resample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.dropout, self.resample = dropout, resample
        self.norm1 = GroupNorm(groups[0], inputs, eps, affine=False)
        self.conv1 = initialize(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.norm2 = GroupNorm(groups[1], outputs, eps, affine=False)
        self.conv2 = initialize(nn.Conv2d(outputs, outputs, 3, padding=1), scale=0.0)
        self.skip = initialize(nn.Conv2d(inputs, outputs, 1)) if inputs != outputs or resample is not None else None
        self.parts = (2 * inputs, 2 * outputs)
        self.shifts = sum(self.parts)
        """How many numbers the block wants to be steered by."""

    def forward(self, x: Tensor, shift: Tensor, maps: tuple[Map, Map] | tuple[None, None] = (None, None)) -> Tensor:
        """x (B, inputs, H, W), shift (B, shifts) or (1, shifts), maps for both normalizations -> (B, outputs, H', W')."""
        first, second = shift.split(self.parts, dim=1)
        h = silu(modulated(self.norm1(x), first, maps[0]))
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x)
        h = self.conv1(h)
        h = silu(modulated(self.norm2(h), second, maps[1]))
        if self.dropout and self.training:
            h = F.dropout(h, self.dropout)
        h = self.conv2(h)
        return h.add_(x if self.skip is None else self.skip(x)).mul_(0.5**0.5)
