"""Where the chains of a scale start while it trains: ends of the chains of the scale below, drawn once and kept."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unveil.core.random import Streams
from unveil.models.single_image_ebm.corruption import corrupted
from unveil.pyramids import resize

if TYPE_CHECKING:
    from unveil.models.single_image_ebm.energies import EnergyPyramid

_LARGE = 2**28  # bytes; a bank that would be larger is kept at half precision


class Starts:
    """A bank of starts for the scale that trains, and the start of its recovery chain.

    The energies of lower scales do not change any more, so samples drawn from them once are as good as fresh ones. All is
    a plain function of the seed and of the lower energies: after an interruption the same bank is drawn again.

    Args:
        size: starts in the bank.
        seed: names them.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        self._scale = -1
        self._bank = torch.empty(0)
        self._recovery = torch.empty(0)

    def at(self, model: "EnergyPyramid", scale: int) -> tuple[Tensor, Tensor]:
        """The bank (M, C, h, w) for a scale above the coarsest, and the recovery's start (1, C, h, w) of any."""
        if not 0 <= self._scale <= scale:
            self._scale = 0
            self._bank = first_noise(self.size, model, model.sizes[0], Streams(self.seed, self.size))
            self._recovery = corrupted(model.pyramid[0], model.corruption)
        while self._scale < scale:
            size = model.sizes[self._scale + 1]
            seed = Streams(self.seed, self.size).child(self._scale).seed
            ends = []
            for i in range(self.size):
                start = model.with_detail(self._bank[i : i + 1].float(), self._scale, Streams(seed, [i]))
                ends.append(model.run(start, self._scale))
            bank = torch.cat([resize(end, size).clamp(-1, 1) for end in ends])
            large = bank.numel() * bank.element_size() > _LARGE
            self._bank = bank.half() if large else bank
            self._recovery = resize(model.run(self._recovery, self._scale), size).clamp(-1, 1)
            self._scale += 1
        return self._bank, self._recovery


def first_noise(n: int, model: "EnergyPyramid", size: tuple[int, int], streams: Streams) -> Tensor:
    """Uniform noise on [-1, 1), (n, C, *size), the same in all channels: where everything starts."""
    grey = streams.rand((n, 1, *size)) * 2 - 1
    return grey.to(model.device).expand(-1, model.channels, -1, -1)
