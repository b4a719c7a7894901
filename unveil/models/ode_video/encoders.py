"""From known frames to the state at one time: of the first frames alone, or of all, read one after another."""

from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.frames import FrameEncoder
from unveil.ode import Solver, solve

Anchor = Literal["first", "last"]
_NEAR = 1e-3  # of a frame


class Encoded(NamedTuple):
    """What is known of the state at one time.

    Attributes:
        mean: (B, latent).
        log_var: logarithm of its variances, (B, latent); None where the state is certain.
        start: when, in frames, (B,), float64 on the CPU.
    """

    mean: Tensor
    log_var: Tensor | None
    start: Tensor


class Encoder(Protocol):
    """Reads known frames.

    Attributes:
        latent: numbers of the state.
        variational: whether it tells a distribution.
        reads: the most frames it looks at; None for all it is given.
    """

    latent: int
    variational: bool
    reads: int | None

    def __call__(self, frames: Tensor, times: Tensor, mask: Tensor | None = None) -> Encoded:
        """Frames (B, m, C, H, W), times (B, m) in frames, and which frames are there, (B, m)."""
        ...


class StackEncoder(nn.Module):
    """The state at the first of a few frames in a row, which are laid side by side.

    One still frame tells nothing of where things go; two tell their velocity.

    Args:
        frames: takes `count` frames as channels.
        latent: numbers of the state.
        count: how many frames.
        hidden: width of a layer between, with tanh; None for none.

    Source: Voleti et al. (2019), arXiv:2109.03292, for one frame; more are ours.
    """

    variational: bool = False
    reads: int | None

    def __init__(self, frames: FrameEncoder, latent: int, count: int = 2, *, hidden: int | None = 128) -> None:
        super().__init__()
        self.frames, self.latent, self.count, self.reads = frames, latent, count, count
        middle = frames.features if hidden is None else hidden
        between = [] if hidden is None else [nn.Linear(frames.features, hidden), nn.Tanh()]
        self.head = nn.Sequential(*between, nn.Linear(middle, latent))

    def embed(self, frames: Tensor, rows: Tensor | None = None) -> Tensor:
        """The state of each frame that has enough after it, (B, T, C, H, W) -> (B, T - count + 1, latent), or of some rows of
        these."""
        stacks = frames.unfold(1, self.count, 1).movedim(-1, 2)  # (B, n, count, C, H, W)
        stacks = (stacks if rows is None else stacks[:, rows]).flatten(2, 3)
        embedded: Tensor = self.head(self.frames(stacks.flatten(0, 1)))
        return embedded.unflatten(0, stacks.shape[:2])

    def forward(self, frames: Tensor, times: Tensor, mask: Tensor | None = None) -> Encoded:
        """The state at the first frame.

        Raises:
            ConfigError: one of these frames is not there, or they are not 1 apart.
            ShapeError: there are too few.
        """
        if frames.shape[1] < self.count:
            raise ShapeError(f"{frames.shape[1]} frames were given, and this encoder reads {self.count}; give more.")
        if mask is not None and not bool(mask[:, : self.count].all()):
            raise ConfigError(
                f"This model reads the first {self.count} frames and cannot do without one; take a recurrent one where "
                "frames are missing."
            )
        if bool(((times[:, : self.count].diff(dim=1) - 1).abs() > _NEAR).any()):
            raise ConfigError(
                f"This model reads the first {self.count} frames as if they were 1 apart, and their times are not; take a "
                "recurrent one where times are uneven."
            )
        return Encoded(self.embed(frames[:, : self.count])[:, 0], None, times[:, 0])


class RecurrentEncoder(nn.Module):
    """The distribution of the state at the first of any number of frames, or at the last.

    A recurrent network reads the frames towards that time, so that it sees that frame last. Frames that are not there are
    skipped, and the next one is told how long ago the one before it was.

    Args:
        frames: describes each frame.
        latent: numbers of the state.
        hidden: width of the recurrent network.
        cell: "gru", or "rnn" for a plain tanh.
        anchor: "first" reads backwards in time, "last" forwards.
        gaps: tell the network how many frames ago the frame before was.
        between: (t, h) -> dh/dt moves the network's memory from one frame to the next; None leaves it as it is.

    Raises:
        ConfigError: a word is unknown.

    Source: Chen et al. (2018), arXiv:1806.07366, section 5; Rubanova et al. (2019), arXiv:1907.03907, for `between`.
    """

    variational: bool = True
    reads: int | None = None

    def __init__(
        self,
        frames: FrameEncoder,
        latent: int,
        *,
        hidden: int = 128,
        cell: Literal["gru", "rnn"] = "gru",
        anchor: Anchor = "first",
        gaps: bool = True,
        between: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if cell not in ("gru", "rnn") or anchor not in ("first", "last"):
            raise ConfigError(f"The cell is {cell!r} and the anchor {anchor!r}; take gru or rnn, and first or last.")
        self.frames, self.latent, self.hidden, self.anchor, self.gaps = frames, latent, hidden, anchor, gaps
        inputs = frames.features + gaps
        self.cell = nn.GRUCell(inputs, hidden) if cell == "gru" else _Plain(inputs, hidden)
        self.between = between
        self.head = nn.Linear(hidden, 2 * latent)

    def forward(self, frames: Tensor, times: Tensor, mask: Tensor | None = None) -> Encoded:
        """The distribution of the state at the first or the last frame."""
        count = frames.shape[1]
        features = self.frames(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        h = features.new_zeros(len(frames), self.hidden)
        ago = torch.zeros(len(frames), dtype=torch.float64)  # since a frame was read
        read = torch.zeros(len(frames), dtype=torch.bool)  # whether one was
        there = torch.ones(len(frames), count, dtype=torch.bool) if mask is None else mask.cpu().bool()
        order = list(range(count)) if self.anchor == "last" else list(reversed(range(count)))
        before = order[0]
        for i in order:
            gap = (times[:, i] - times[:, before]).abs()
            before = i
            ago = torch.where(read, ago + gap, 0)
            if self.between is not None and bool((gap > 0).any()):
                h = self._moved(h, torch.where(read, gap, 0))
            told = torch.cat([features[:, i], ago.to(h)[:, None]], 1) if self.gaps else features[:, i]
            h = torch.where(there[:, i].to(h.device)[:, None], self.cell(told, h), h)
            ago, read = torch.where(there[:, i], 0, ago), read | there[:, i]
        mean, log_var = self.head(h).chunk(2, 1)
        return Encoded(mean, log_var, times[:, 0 if self.anchor == "first" else -1])

    def _moved(self, h: Tensor, gap: Tensor) -> Tensor:
        """The memory after a gap of frames, by two steps of the midpoint method."""
        wide, between = gap.to(h)[:, None], self.between
        assert between is not None
        unit = torch.tensor([0.0, 1.0])
        return solve(lambda s, y: wide * between(s, y), h, unit, Solver("midpoint", steps=2)).final


class _Plain(nn.Module):
    """h <- tanh(W [x, h] + b)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs + hidden, hidden)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.layer(torch.cat([x, h], 1)))
