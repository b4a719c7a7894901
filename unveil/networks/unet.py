"""One U-Net for diffusion, in three styles."""

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.layers import (
    ConvDownsample,
    ConvUpsample,
    FourierFeatures,
    GroupNorm,
    Padding,
    ResidualBlock,
    SelfAttention,
    SinusoidalFeatures,
    TimeEmbedding,
    groups_for,
    initialize,
    ladder,
    resampler,
    silu,
)
from unveil.networks.layers.memory import channels_last

Style = Literal["ddpm", "adm", "ncsnpp"]
Embedding = Literal["sinusoidal", "fourier"]


class Step(nn.Module):
    """A residual block, and attention after it where there is any."""

    def __init__(self, block: ResidualBlock, attention: SelfAttention | None) -> None:
        super().__init__()
        self.block, self.attention, self.shifts = block, attention, block.shifts

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        x = self.block(x, shift)
        return x if self.attention is None else self.attention(x)


class UNet(nn.Module):
    """Down through ever smaller images and up again, every step of the way up taking back one of the way down.

    | style | resampling | the time enters | heads | sums |
    |---|---|---|---|---|
    | `ddpm` | stride 2; repeat and convolve | as a shift before the second norm | one | x + h |
    | `adm` | means and repeats within blocks | as scale and shift after it | of 64 channels | x + h |
    | `ncsnpp` | [1, 3, 3, 1] filter within blocks | as a shift before the second norm | one | (x + h) / sqrt(2) |

    `ncsnpp` also has a single attention layer on each level of the way up, where the others have one after each block.
    The last convolution of every block and of the network begins at zero, so a new network predicts zero.

    The weights of the convolutions are kept channels-last, in which convolutions run faster on CPUs and on tensor
    cores; an image of either layout may come in, a contiguous one goes out. Code that writes weights to a file
    wants `.contiguous()`, and optimiser states read from one must be copied into tensors like the weights
    (`torch.empty_like(weight).copy_(state)`): fused optimisers assume one layout, and do not check it.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; None means those of the input.
        channels: channels at full resolution, an even number; the time embedding is as wide, then four times as wide.
        mult: channels of each level as multiples of `channels`; each level after the first halves the sides.
        blocks: residual blocks of each level going down; there is one more going up.
        attention: the levels with attention, 0 being full resolution. The middle always has it.
        dropout: probability of dropping a number inside a block, in training.
        style: see the table.
        head_channels: channels of an attention head; None means the style's own. Fewer channels make one head.
        classes: how many labels there are; None means that the network knows none.
        embedding: "sinusoidal" for a time in [0, 1]; "fourier" for the logarithm of a noise level.
        groups: groups of every normalization; None means as many as leave four channels in each, at most 32.
        eps: of the normalizations.
        time_scale: what a time is multiplied by for the sinusoidal embedding: the published number of steps.
        frequency_shift: see `SinusoidalFeatures`; 0 or 1.
        padding: where `ddpm` pads before a stride of 2: "both" sides, or the "end" as the first networks did.

    Raises:
        ConfigError: an argument cannot work; the message says which and why.

    Source: Ho et al. (2020), arXiv:2006.11239, appendix B; Dhariwal & Nichol (2021), arXiv:2105.05233, section 3;
    Song et al. (2021), arXiv:2011.13456, appendix H. Classifier-free labels: Ho & Salimans (2022), arXiv:2207.12598.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None = None,
        *,
        channels: int = 128,
        mult: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 2,
        attention: Sequence[int] = (1,),
        dropout: float = 0.0,
        style: Style = "ddpm",
        head_channels: int | None = None,
        classes: int | None = None,
        embedding: Embedding = "sinusoidal",
        groups: int | None = None,
        eps: float = 1e-5,
        time_scale: float = 1000.0,
        frequency_shift: int = 1,
        padding: Padding = "both",
    ) -> None:
        super().__init__()
        self.options: dict[str, Any] = {
            "in_channels": in_channels, "out_channels": out_channels or in_channels, "channels": channels,
            "mult": tuple(mult), "blocks": blocks, "attention": tuple(attention), "dropout": dropout, "style": style,
            "head_channels": head_channels, "classes": classes, "embedding": embedding, "groups": groups, "eps": eps,
            "time_scale": time_scale, "frequency_shift": frequency_shift, "padding": padding,
        }  # fmt: skip
        """`UNet(**options)` builds the network again."""
        _check(**self.options)
        self.in_channels, self.classes = in_channels, classes
        self.divisor = 2 ** (len(mult) - 1)
        """What both sides of an image must be multiples of."""

        ddpm, ncsnpp = style == "ddpm", style == "ncsnpp"
        gain = math.sqrt(0.5) if ncsnpp else 1.0
        if style == "adm" and head_channels is None:
            head_channels = 64

        def count(width: int) -> int:
            return groups or groups_for(width if ncsnpp else channels)

        def block(inputs: int, outputs: int, **options: Any) -> ResidualBlock:
            around = (count(inputs), count(outputs))
            return ResidualBlock(
                inputs, outputs, groups=around, eps=eps, dropout=dropout, adaptive=style == "adm", gain=gain, **options
            )

        def resample(direction: Literal["up", "down"], width: int, level: int) -> nn.Module:
            if ddpm:
                return ConvDownsample(width, padding) if direction == "down" else ConvUpsample(width)
            return block(width, width, resample=resampler(direction, smooth=ncsnpp), project=ncsnpp)

        def step(inputs: int, outputs: int, level: int, attends: bool) -> Step:
            attention = SelfAttention(outputs, groups=count(outputs), head_channels=head_channels, eps=eps, gain=gain)
            return Step(block(inputs, outputs), attention if attends else None)

        widths = [m * channels for m in mult]
        width = widths[0]
        self.down, self.middle, self.up = ladder(channels, widths, blocks, attention, step, resample, sparing=ncsnpp)
        if embedding == "sinusoidal":
            features: nn.Module = SinusoidalFeatures(channels, time_scale, frequency_shift)
        else:
            features = FourierFeatures(channels)
        self.time = TimeEmbedding(
            features, channels, [layer.shifts for layer in (*self.down, *self.middle, *self.up)], classes
        )
        self.first = initialize(nn.Conv2d(in_channels, channels, 3, padding=1))
        self.norm = GroupNorm(count(width), width, eps)
        self.last = initialize(nn.Conv2d(width, out_channels or in_channels, 3, padding=1), scale=0.0)
        channels_last(self)

    def steering(self, t: Tensor, label: Tensor | None = None) -> Tensor:
        """What times and labels are to the blocks, a row for each, (B, n): made once, it serves a walk of many steps."""
        rows: Tensor = self.time(t.reshape(-1), label)
        return rows

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None, *, steering: Tensor | None = None) -> Tensor:
        """Predict from a noisy image.

        Args:
            x: images (B, in_channels, H, W), whose sides are multiples of `divisor`.
            t: times in [0, 1], or logarithms of noise levels for the Fourier embedding; () or (B,).
            label: integers (B,) in 0 .. classes, where `classes` means "no label"; None means no label for all.
            steering: what `steering` made of t and label, for each image or, (1, n), for all.

        Returns:
            (B, out_channels, H, W).

        Raises:
            ShapeError: the channels, the sides, the times or the labels do not fit.
            ConfigError: labels are given to a network without classes.
        """
        self._check_input(x, t, label)
        # One shift vector a layer; a single time is embedded once and steers the whole batch.
        steering = self.steering(t, label) if steering is None else steering
        shifts = iter(steering.split(self.time.shifts, dim=1))
        h = self.first(x)
        left = [h]
        for layer in self.down:
            h = layer(h, next(shifts))
            left.append(h)
        for layer in self.middle:
            h = layer(h, next(shifts))
        for layer in self.up:
            if isinstance(layer, Step):
                h = torch.cat([h, left.pop()], dim=1)
            h = layer(h, next(shifts))
        return self.last(silu(self.norm(h))).contiguous()

    def _check_input(self, x: Tensor, t: Tensor, label: Tensor | None) -> None:
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ShapeError(f"The U-Net was given {tuple(x.shape)}; it takes images (B, {self.in_channels}, H, W).")
        if x.shape[2] % self.divisor or x.shape[3] % self.divisor:
            raise ShapeError(
                f"The U-Net was given images of {x.shape[2]} x {x.shape[3]}; it halves their sides "
                f"{self.divisor.bit_length() - 1} times, so crop or pad both to multiples of {self.divisor}."
            )
        if t.ndim > 1 or t.numel() not in (1, len(x)):
            raise ShapeError(f"Times of shape {tuple(t.shape)} do not fit {len(x)} images; give () or ({len(x)},).")
        if label is None:
            return
        if self.classes is None:
            raise ConfigError(
                "Labels were given to a U-Net without classes; build it with classes=N, or give no label."
            )
        if label.shape != (len(x),) or label.is_floating_point():
            raise ShapeError(
                f"Labels of shape {tuple(label.shape)} and type {label.dtype} do not fit {len(x)} images; "
                f"give ({len(x)},) integers from 0 to {self.classes}, where {self.classes} means no label."
            )


def _check(
    *, in_channels: int, out_channels: int, channels: int, mult: Sequence[int], blocks: int, attention: Sequence[int],
    dropout: float, style: str, head_channels: int | None, classes: int | None, embedding: str, groups: int | None,
    eps: float, time_scale: float, frequency_shift: int, padding: str,
) -> None:  # fmt: skip
    """Refuse what cannot make a U-Net."""
    if min(in_channels, out_channels, blocks) < 1:
        raise ConfigError(
            f"A U-Net from {in_channels} to {out_channels} channels with {blocks} blocks a level cannot be made; "
            "each of the three must be at least 1."
        )
    if not mult or any(m < 1 or m != int(m) for m in mult):
        raise ConfigError(f"UNet got mult={tuple(mult)}; it needs a whole number of at least 1 for each level.")
    for level in attention:
        if level not in range(len(mult)):
            raise ConfigError(
                f"UNet got attention at level {level}; with {len(mult)} levels they are 0 (full resolution) to "
                f"{len(mult) - 1}. In a recipe they are model.network.attention."
            )
    if channels < 4 or channels % 2 or (groups is not None and (groups < 1 or channels % groups)):
        raise ConfigError(
            f"UNet got channels={channels} and groups={groups}; it needs an even number of channels, "
            "at least 4, that the groups divide."
        )
    if head_channels is not None and head_channels < 1:
        raise ConfigError(f"UNet got head_channels={head_channels}; it needs at least 1, or None for the style's own.")
    if classes is not None and classes < 1:
        raise ConfigError(f"UNet got classes={classes}; it needs at least 1, or None for a network without labels.")
    if not 0 <= dropout < 1:
        raise ConfigError(f"UNet got dropout={dropout}; it needs 0 <= dropout < 1.")
    if eps <= 0 or time_scale <= 0 or frequency_shift not in (0, 1):
        raise ConfigError(
            f"UNet got eps={eps}, time_scale={time_scale}, frequency_shift={frequency_shift}; "
            "it needs eps > 0, time_scale > 0 and a shift of 0 or 1."
        )
    for name, value, known in (
        ("style", style, get_args(Style)),
        ("embedding", embedding, get_args(Embedding)),
        ("padding", padding, get_args(Padding)),
    ):
        if value not in known:
            raise ConfigError(f"UNet got {name}={value!r}; it can be {' or '.join(map(repr, known))}.")
