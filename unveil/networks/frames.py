"""Frames to features and back: small convolutional networks for frames that are described by a few numbers."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from unveil.core.errors import ConfigError, ShapeError

Blocks = Literal["plain", "residual"]

_GROUPS = 32


class FrameEncoder(nn.Module):
    """Frames (N, C, H, W) -> features (N, features); every level halves the sides.

    Args:
        channels: of a frame, or of several side by side.
        size: height and width.
        widths: channels of each level.
        blocks: "plain" levels are a convolution, a normalization and SiLU; "residual" ones two convolutions, each behind a
            normalization and ReLU, and a way around them.
        features: numbers that a linear layer makes of the last level; None for all of that level's.

    Raises:
        ConfigError: a side cannot be halved so often.

    Source: Voleti et al. (2019), arXiv:2109.03292, with the residual blocks of its experiments.
    """

    def __init__(
        self,
        channels: int,
        size: Sequence[int],
        *,
        widths: Sequence[int] = (8, 16, 32, 32),
        blocks: Blocks = "plain",
        features: int | None = None,
    ) -> None:
        super().__init__()
        coarse = coarsest(size, widths, blocks)
        make = _Down if blocks == "residual" else _plain_down
        self.levels = nn.Sequential(*(make(a, b) for a, b in pairwise((channels, *widths))))
        flat = widths[-1] * coarse[0] * coarse[1]
        self.last = nn.Identity() if features is None else nn.Linear(flat, features)
        self.features = flat if features is None else features
        self.shape = (channels, *size)

    def forward(self, x: Tensor) -> Tensor:
        """The features of frames.

        Raises:
            ShapeError: they are of another size.
        """
        if tuple(x.shape[1:]) != tuple(self.shape):
            raise ShapeError(f"Frames are {tuple(x.shape[1:])}; this encoder takes {tuple(self.shape)}.")
        features: Tensor = self.last(self.levels(x).flatten(1))
        return features


class FrameDecoder(nn.Module):
    """States (N, state) -> frames (N, C, H, W) in [-1, 1]; every level doubles the sides.

    Args:
        channels: of a frame.
        size: height and width.
        state: numbers that a frame is made of.
        widths: channels of each level, the coarsest last, as of the encoder that it mirrors.
        blocks: see `FrameEncoder`.
        hidden: width of a layer between the state and the coarsest level; None for none.

    Raises:
        ConfigError: a side cannot be halved so often.
    """

    def __init__(
        self,
        channels: int,
        size: Sequence[int],
        state: int,
        *,
        widths: Sequence[int] = (8, 16, 32, 32),
        blocks: Blocks = "plain",
        hidden: int | None = 128,
    ) -> None:
        super().__init__()
        tall, wide = coarsest(size, widths, blocks)
        self.coarse = (widths[-1], tall, wide)
        flat = widths[-1] * tall * wide
        middle = state if hidden is None else hidden
        between = [] if hidden is None else [nn.Linear(state, hidden), nn.ReLU()]
        self.first = nn.Sequential(*between, nn.Linear(middle, flat))
        steps = list(pairwise((*reversed(widths), channels)))
        make, last = (_Up, _Up) if blocks == "residual" else (_plain_up, _doubled)
        self.levels = nn.Sequential(*(make(a, b) for a, b in steps[:-1]), last(*steps[-1]))

    def forward(self, z: Tensor) -> Tensor:
        """The frames of states."""
        return torch.tanh(self.levels(self.first(z).unflatten(1, self.coarse)))


def coarsest(size: Sequence[int], widths: Sequence[int], blocks: str) -> tuple[int, int]:
    """Height and width of the last level.

    Raises:
        ConfigError: a side cannot be halved so often, or a word is unknown.
    """
    if blocks not in get_args(Blocks):
        raise ConfigError(f"There are no {blocks!r} blocks; take {' or '.join(get_args(Blocks))}.")
    if not widths or min(widths) < 1:
        raise ConfigError(
            f"The widths are {tuple(widths)}; give the channels of one level or more, such as (8, 16, 32)."
        )
    divisor = 2 ** len(widths)
    if len(size) != 2 or any(side % divisor or side < divisor for side in size):
        raise ConfigError(
            f"Frames of {' x '.join(map(str, size))} cannot be halved {len(widths)} times; take sides that are multiples of "
            f"{divisor}, or fewer widths."
        )
    return size[0] // divisor, size[1] // divisor


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(_GROUPS, channels), channels)


def _few(channels: int) -> nn.GroupNorm:
    """Groups of four channels: one for each channel would forget how bright a frame of few pixels is."""
    return nn.GroupNorm(channels // 4 if channels % 4 == 0 else 1, channels)


def _plain_down(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), _few(outputs), nn.SiLU())


def _plain_up(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(_doubled(inputs, outputs), _few(outputs), nn.SiLU())


def _doubled(inputs: int, outputs: int) -> nn.Module:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)


class _Down(nn.Module):
    """Two convolutions, of which the first halves the sides, and a way around them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.before, self.between = _norm(inputs), _norm(outputs)
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.around = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        a = functional.relu(self.before(x))
        main: Tensor = self.second(functional.relu(self.between(self.first(a))))
        return main + self.around(a)


class _Up(nn.Module):
    """The mirror of `_Down`: the first convolution doubles the sides."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.before, self.between = _norm(inputs), _norm(outputs)
        self.first = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.around = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        a = functional.relu(self.before(x))
        main: Tensor = self.second(functional.relu(self.between(self.first(a))))
        return main + self.around(a)
