"""A watch on training: where chains run away, the network goes back to what it was a little earlier."""

import math

import torch
from torch import Tensor, nn

EVERY = 25
"""Steps between snapshots."""
PATIENCE = 20
"""Steps in a row that must look bad."""
RESTORES = 3
"""How often a scale may go back before it is given up."""
_MEMORY = 50
_SUDDEN, _FAR, _WIDE, _GROWN = 10.0, 10.0, 2.0, 1.2


class Guard(nn.Module):
    """Judges the chains of a scale as it trains, and keeps a snapshot of the network.

    A step looks bad if the slope of the energy is ten times its running median and the chain could cross the range of
    pixels with it, or if it could do so ten times, or if samples have more than twice the spread of the image and chains
    have widened it. After twenty
    such steps in a row the network has diverged, at once if a number is not finite. Everything is kept in buffers, so that
    an interrupted training goes on with what the guard knew.

    Args:
        numbers: of the largest network, parameters and buffers together.
    """

    snapshot: Tensor
    slopes: Tensor
    counts: Tensor

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.register_buffer("snapshot", torch.zeros(numbers))
        self.register_buffer("slopes", torch.zeros(_MEMORY))
        self.register_buffer("counts", torch.zeros(3, dtype=torch.int64))  # slopes seen, bad steps in a row, restores

    @property
    def rate(self) -> float:
        """The share of the learning rate that is left: half for each time the network went back."""
        return 0.5 ** int(self.counts[2])

    def begin(self, network: nn.Module) -> None:
        """Turn to a scale that begins to train."""
        self.slopes.zero_()
        self.counts.zero_()
        self.keep(network)

    def before(self, step: int, network: nn.Module) -> None:
        """Take a snapshot when one is due, unless things look bad."""
        if step % EVERY == 0 and not self.counts[1]:
            self.keep(network)

    def has_diverged(self, slope: float, reach: float, contrast: float, growth: float) -> bool:
        """Take in what the chains of a step felt, and tell whether the network has diverged.

        Args:
            slope: root mean square of the energy's gradient.
            reach: how far the whole chain goes with it, as a share of the range from grey to white.
            contrast: the spread of the samples over that of the image.
            growth: over that of where their chains started, which may be noise that is wider than the image.
        """
        if not (math.isfinite(slope) and math.isfinite(contrast)):
            return True
        seen = int(self.counts[0])
        usual = float(self.slopes[: min(seen, _MEMORY)].median()) if seen else slope
        bad = (slope > _SUDDEN * usual and reach > 1) or reach > _FAR or (contrast > _WIDE and growth > _GROWN)
        self.counts[1] = int(self.counts[1]) + 1 if bad else 0
        self.slopes[seen % _MEMORY] = slope
        self.counts[0] = seen + 1
        return bool(self.counts[1] >= PATIENCE)

    def restore(self, network: nn.Module) -> bool:
        """Bring the network back, and tell whether it may be tried again."""
        self._copy(network, to_network=True)
        self.slopes.zero_()
        self.counts[:2] = 0
        self.counts[2] += 1
        return bool(self.counts[2] <= RESTORES)

    def keep(self, network: nn.Module) -> None:
        """Take a snapshot."""
        self._copy(network, to_network=False)

    @torch.no_grad()
    def _copy(self, network: nn.Module, *, to_network: bool) -> None:
        first = 0
        for value in (*network.parameters(), *network.buffers()):
            place = self.snapshot[first : first + value.numel()].view(value.shape)
            if to_network:
                value.copy_(place)
            else:
                place.copy_(value)
            first += value.numel()
