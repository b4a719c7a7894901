"""A U-Net that restores an image in one pass, and has a random latent to choose among what it may have been."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.layers import (
    AdaptiveNorm,
    SelfAttention,
    SinusoidalFeatures,
    Style,
    StyledBlock,
    TimeEmbedding,
    check_ladder,
    groups_for,
    initialize,
    ladder,
    resampler,
    silu,
)
from unveil.networks.layers.memory import channels_last

_GAIN = 0.5**0.5


class StyledStep(nn.Module):
    """A styled block, and attention after it where there is any."""

    def __init__(self, block: StyledBlock, attention: SelfAttention | None) -> None:
        super().__init__()
        self.block, self.attention, self.shifts = block, attention, block.shifts
        self.resamples = block.resample is not None

    def forward(self, x: Tensor, shift: Tensor, style: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        x = self.block(x, shift, style)
        return x if self.attention is None else self.attention(x)


class Pyramid(nn.Module):
    """The degraded image itself, made smaller and brought to the width of a level, joins the features there."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.smaller = resampler("down", smooth=True)
        self.conv = initialize(nn.Conv2d(inputs, outputs, 3, padding=1))

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        """The image so far (B, inputs, 2H, 2W) and features (B, outputs, H, W) -> their mixture, (B, outputs, H, W)."""
        return (self.conv(self.smaller(image)) + features) * _GAIN


class Generator(nn.Module):
    """Restores an image from level k of a chain of degradations: (y, k, z) -> x_hat, all in one pass.

    Down through ever smaller images and up again, as the NCSN++ networks do: resampling through [1, 3, 3, 1] within
    blocks, sums over sqrt(2), the input joined in at every scale. Both normalizations of every block are steered by a
    style that is made of the latent z. The answer is brought into (-1, 1) by a tanh.

    Args:
        channels_in: channels of the image.
        channels: at full resolution, an even number.
        mult: channels of each level as multiples of `channels`; each level after the first halves the sides.
        blocks: residual blocks of each level going down; there is one more going up.
        attention: the levels with attention, 0 being full resolution; the middle always has it.
        latent: numbers of z.
        style: numbers of a style.
        style_layers: linear layers from z to the style, after the first.
        dropout: probability of dropping a number inside a block, in training.

    Raises:
        ConfigError: an argument cannot work.

    Source: Xiao et al. (2022), arXiv:2112.07804, appendix C; Song et al. (2021), arXiv:2011.13456, appendix H; used as it
    is by Choi et al. (2023), arXiv:2303.05456.
    """

    def __init__(
        self,
        channels_in: int,
        *,
        channels: int = 128,
        mult: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 2,
        attention: Sequence[int] = (1,),
        latent: int = 100,
        style: int = 256,
        style_layers: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _check(channels_in, channels, mult, blocks, attention, latent, style, style_layers, dropout)
        self.channels_in, self.latent = channels_in, latent
        self.divisor = 2 ** (len(mult) - 1)
        """What both sides of an image must be multiples of."""

        def block(inputs: int, outputs: int, resample: Literal["up", "down"] | None = None) -> StyledBlock:
            around = (groups_for(inputs), groups_for(outputs))
            filters = resampler(resample, smooth=True) if resample else None
            return StyledBlock(inputs, outputs, groups=around, style=style, dropout=dropout, resample=filters)

        def step(inputs: int, outputs: int, level: int, attends: bool) -> StyledStep:
            over = SelfAttention(outputs, groups=groups_for(outputs), eps=1e-6, gain=_GAIN) if attends else None
            return StyledStep(block(inputs, outputs), over)

        self.pyramids = nn.ModuleList()

        def resample(direction: Literal["up", "down"], width: int, level: int) -> StyledStep:
            made = StyledStep(block(width, width, direction), None)
            if direction == "down":
                self.pyramids.append(Pyramid(widths[level - 1] if level else channels_in, width))
            return made

        widths = [m * channels for m in mult]
        width = widths[0]
        self.down, self.middle, self.up = ladder(channels, widths, blocks, attention, step, resample, sparing=True)
        shifts = [layer.shifts for layer in (*self.down, *self.middle, *self.up)]
        self.time = TimeEmbedding(SinusoidalFeatures(channels, scale=1.0), channels, shifts)
        self.style = Style(latent, style, style_layers)
        self.first = initialize(nn.Conv2d(channels_in, channels, 3, padding=1))
        self.norm = AdaptiveNorm(groups_for(width), width, style)
        self.last = initialize(nn.Conv2d(width, channels_in, 3, padding=1), scale=1e-10)
        channels_last(self)

    def forward(self, y: Tensor, k: Tensor, z: Tensor) -> Tensor:
        """Restore degraded images.

        Args:
            y: of level k + 1, (B, C, H, W); the sides are multiples of `divisor`.
            k: the level to which the chain is to come back, integers (B,).
            z: latents, (B, latent).

        Returns:
            Estimates of the clean images, (B, C, H, W) in (-1, 1).

        Raises:
            ShapeError: the channels, the sides or the latents do not fit.
        """
        self._check_input(y, z)
        shifts = iter(self.time(k).split(self.time.shifts, dim=1))
        style = self.style(z)
        pyramids = iter(self.pyramids)
        image, h = y, self.first(y)
        left = [h]
        for layer in self.down:
            h = layer(h, next(shifts), style)
            if layer.resamples:
                image = h = next(pyramids)(image, h)
            left.append(h)
        for layer in self.middle:
            h = layer(h, next(shifts), style)
        for layer in self.up:
            if not layer.resamples:
                h = torch.cat([h, left.pop()], dim=1)
            h = layer(h, next(shifts), style)
        return torch.tanh(self.last(silu(self.norm(h, style)))).contiguous()

    def _check_input(self, y: Tensor, z: Tensor) -> None:
        if y.ndim != 4 or y.shape[1] != self.channels_in:
            raise ShapeError(
                f"The generator was given {tuple(y.shape)}; it takes images (B, {self.channels_in}, H, W)."
            )
        if y.shape[2] % self.divisor or y.shape[3] % self.divisor:
            raise ShapeError(
                f"The generator was given images of {y.shape[2]} x {y.shape[3]}; crop or pad both sides to multiples of "
                f"{self.divisor}, for it halves them {self.divisor.bit_length() - 1} times."
            )
        if z.shape != (len(y), self.latent):
            raise ShapeError(
                f"Latents of shape {tuple(z.shape)} were given for {len(y)} images; give {len(y), self.latent}."
            )


def _check(
    channels_in: int, channels: int, mult: Sequence[int], blocks: int, attention: Sequence[int], latent: int, style: int,
    style_layers: int, dropout: float,
) -> None:  # fmt: skip
    """Refuse what cannot make a generator."""
    if min(channels_in, blocks, latent, style) < 1 or style_layers < 0:
        raise ConfigError(
            f"Generator got {channels_in} channels, blocks={blocks}, latent={latent}, style={style}, style_layers="
            f"{style_layers}; each must be at least 1, and style_layers 0 or more."
        )
    check_ladder("Generator", channels, mult, attention, dropout)
