"""A U-Net that denoises a few frames of a video, told the frames around them."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.layers import (
    ConditionedBlock,
    GroupNorm,
    Map,
    SelfAttention,
    SinusoidalFeatures,
    SpatialMaps,
    TimeEmbedding,
    check_ladder,
    groups_for,
    initialize,
    ladder,
    modulated,
    resampler,
    silu,
)
from unveil.networks.layers.memory import channels_last

Conditioning = Literal["concat", "spatin"]
Prepared = tuple[Tensor, ...]
"""What a network has made of the known frames: it serves all steps of a walk."""


class ConditionedStep(nn.Module):
    """A conditioned block, and attention after it where there is any."""

    def __init__(self, block: ConditionedBlock, attention: SelfAttention | None) -> None:
        super().__init__()
        self.block, self.attention, self.shifts = block, attention, block.shifts
        self.resamples = block.resample is not None

    def forward(self, x: Tensor, shift: Tensor, maps: tuple[Map, Map] | tuple[None, None]) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        x = self.block(x, shift, maps)
        return x if self.attention is None else self.attention(x)


class VideoUNet(nn.Module):
    """A U-Net over pictures whose channels are frames: the noisy ones, and those that are known.

    The network is an NCSN++: [1, 3, 3, 1] resampling within blocks, sums over sqrt(2), one attention layer on each level
    of the way up. The time scales and shifts both normalizations of every block. What is known enters as

    - `concat`: more channels of the input, behind the noisy ones. The first convolution is linear, so its answer to them is
      made once for all steps of a walk;
    - `spatin`: maps that scale and shift every normalization pixel by pixel (`SpatialMaps`), also made once.

    Args:
        channels_in: of the noisy frames, side by side; as many come out.
        known: channels of the known frames, side by side, and of what is told about them; 0 for none.
        channels: channels at full resolution, an even number.
        mult: channels of each level as multiples of `channels`; each level after the first halves the sides.
        blocks: residual blocks of each level going down; there is one more going up.
        attention: the levels with attention, 0 being full resolution; the middle always has it.
        head_channels: channels of an attention head; None means one head.
        dropout: probability of dropping a number inside a block, in training.
        conditioning: "concat" or "spatin".
        spatin_channels: channels between the convolutions that make a map.
        labels: how many numbers there are of which the network is told one, such as the spacing of frames; 0 for none.

    Raises:
        ConfigError: an argument cannot work.

    Source: Voleti et al. (2022), arXiv:2205.09853, section 3 and appendix A.
    """

    def __init__(
        self,
        channels_in: int,
        known: int,
        *,
        channels: int = 64,
        mult: Sequence[int] = (1, 2, 3, 4),
        blocks: int = 2,
        attention: Sequence[int] = (1, 2, 3),
        head_channels: int | None = None,
        dropout: float = 0.0,
        conditioning: Conditioning = "concat",
        spatin_channels: int = 128,
        labels: int = 0,
    ) -> None:
        super().__init__()
        _check(channels_in, known, channels, mult, blocks, attention, dropout, conditioning, spatin_channels, labels)
        self.channels_in, self.known, self.conditioning, self.labels = channels_in, known, conditioning, labels
        self.divisor = 2 ** (len(mult) - 1)
        """What both sides of an image must be multiples of."""
        spatial = conditioning == "spatin" and known > 0
        eps, gain = 1e-6 if conditioning == "spatin" else 1e-5, 0.5**0.5
        norms: list[tuple[int, int]] = []  # channels and level of each

        def block(inputs: int, outputs: int, level: int, after: int, resample: nn.Module | None) -> ConditionedBlock:
            norms.extend([(inputs, level), (outputs, after)])
            around = (groups_for(inputs), groups_for(outputs))
            return ConditionedBlock(inputs, outputs, groups=around, eps=eps, dropout=dropout, resample=resample)

        def step(inputs: int, outputs: int, level: int, attends: bool) -> ConditionedStep:
            over = None
            if attends:
                over = SelfAttention(outputs, groups=groups_for(outputs), head_channels=head_channels, gain=gain)
            return ConditionedStep(block(inputs, outputs, level, level, None), over)

        def resample(direction: Literal["up", "down"], width: int, level: int) -> ConditionedStep:
            after = level + (1 if direction == "down" else -1)
            return ConditionedStep(block(width, width, level, after, resampler(direction, smooth=True)), None)

        widths = [m * channels for m in mult]
        self.down, self.middle, self.up = ladder(channels, widths, blocks, attention, step, resample, sparing=True)
        norms.append((widths[0], 0))
        layers = (*self.down, *self.middle, *self.up)
        self.time = TimeEmbedding(
            SinusoidalFeatures(channels), channels, [layer.shifts for layer in layers], labels - 1 if labels else None
        )
        inputs = channels_in if conditioning == "spatin" else channels_in + known
        self.first = initialize(nn.Conv2d(inputs, channels, 3, padding=1))
        self.maps = SpatialMaps(known, norms, spatin_channels) if spatial else None
        self.norm = GroupNorm(groups_for(widths[0]), widths[0], eps, affine=not spatial)
        self.last = initialize(nn.Conv2d(widths[0], channels_in, 3, padding=1), scale=0.0)
        channels_last(self)

    def steering(self, t: Tensor, label: Tensor | None = None) -> Tensor:
        """What times (n,), and labels (n,) where there are any, are to the blocks, a row for each: made once for a walk."""
        rows: Tensor = self.time(t.reshape(-1), label)
        return rows

    def prepare(self, known: Tensor) -> Prepared:
        """What the network makes of known frames (B, known, H, W), or (1, known, H, W) for all: it serves all of a walk.

        Raises:
            ShapeError: the channels do not fit.
        """
        if known.ndim != 4 or known.shape[1] != self.known:
            raise ShapeError(
                f"The network was given known frames of shape {tuple(known.shape)}; it takes (B, {self.known}, H, W)."
            )
        if not self.known:
            return ()
        if self.maps is not None:
            return tuple(chain.from_iterable(self.maps(known)))
        return (F.conv2d(known, self.first.weight[:, self.channels_in :], padding=1),)

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        known: Tensor,
        label: Tensor | None = None,
        *,
        prepared: Prepared | None = None,
        steering: Tensor | None = None,
    ) -> Tensor:
        """Predict from noisy frames.

        Args:
            x: noisy frames side by side, (B, channels_in, H, W), whose sides are multiples of `divisor`.
            t: times in [0, 1], () or (B,).
            known: known frames side by side, (B, known, H, W), or (1, known, H, W) for all; zeros say nothing.
            label: integers (B,) in 0 .. labels - 1, for a network that has labels.
            prepared: what `prepare` made of the known frames.
            steering: what `steering` made of t and label, for each sample or, (1, n), for all.

        Returns:
            (B, channels_in, H, W).

        Raises:
            ShapeError: the channels, the sides or the times do not fit.
        """
        self._check_input(x, t)
        prepared = self.prepare(known) if prepared is None else prepared
        steering = self.steering(t, label) if steering is None else steering
        shifts = iter(steering.split(self.time.shifts, dim=1))
        h = F.conv2d(x, self.first.weight[:, : self.channels_in], self.first.bias, padding=1)
        maps: Iterator[Map] = iter(())
        if self.maps is not None:
            maps = iter([Map(*pair) for pair in zip(prepared[::2], prepared[1::2], strict=True)])
        elif prepared:
            h = h + prepared[0]

        def of_block() -> tuple[Map, Map] | tuple[None, None]:
            return (None, None) if self.maps is None else (next(maps), next(maps))

        left = [h]
        for layer in self.down:
            h = layer(h, next(shifts), of_block())
            left.append(h)
        for layer in self.middle:
            h = layer(h, next(shifts), of_block())
        for layer in self.up:
            if not layer.resamples:
                h = torch.cat([h, left.pop()], dim=1)
            h = layer(h, next(shifts), of_block())
        h = modulated(self.norm(h), None, next(maps, None))
        return self.last(silu(h)).contiguous()

    def _check_input(self, x: Tensor, t: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != self.channels_in:
            raise ShapeError(f"The network was given {tuple(x.shape)}; it takes frames (B, {self.channels_in}, H, W).")
        if x.shape[2] % self.divisor or x.shape[3] % self.divisor:
            raise ShapeError(
                f"The network was given frames of {x.shape[2]} x {x.shape[3]}; crop or resize both sides to multiples of "
                f"{self.divisor}, for it halves them {self.divisor.bit_length() - 1} times."
            )
        if t.ndim > 1 or t.numel() not in (1, len(x)):
            raise ShapeError(f"Times of shape {tuple(t.shape)} do not fit {len(x)} samples; give () or ({len(x)},).")


def _check(
    channels_in: int, known: int, channels: int, mult: Sequence[int], blocks: int, attention: Sequence[int],
    dropout: float, conditioning: str, spatin_channels: int, labels: int,
) -> None:  # fmt: skip
    """Refuse what cannot make a network."""
    if min(channels_in, blocks, spatin_channels) < 1 or min(known, labels) < 0:
        raise ConfigError(
            f"VideoUNet got {channels_in} channels, known={known}, blocks={blocks}, spatin_channels={spatin_channels}, "
            f"labels={labels}; known and labels must be at least 0, the others 1."
        )
    check_ladder("VideoUNet", channels, mult, attention, dropout)
    if conditioning not in get_args(Conditioning):
        raise ConfigError(f"VideoUNet got conditioning={conditioning!r}; it can be 'concat' or 'spatin'.")
