"""Videos longer than a block: one block after another, one before another, or first few frames and then those between."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from unveil.core.protocols import Progress

Block = Callable[..., Tensor]
"""(past or None, future or None, level=0) -> k new frames, (B, k, C, H, W)."""


@dataclass
class Portions:
    """Tells the progress of blocks that take turns as one.

    Attributes:
        progress: who is told.
        blocks: how many there will be.
    """

    progress: Progress | None
    blocks: int
    _begun: int = 0

    def next(self) -> Progress | None:
        """Who is to be told of the next block."""
        if self.progress is None:
            return None
        progress, before = self.progress, self._begun
        self._begun += 1
        return lambda step, steps: progress(before * steps + step, self.blocks * steps)


def blocks_for(frames: int, k: int) -> int:
    """How many blocks of k frames make so many frames."""
    return math.ceil(frames / k)


def forwards(block: Block, past: Tensor | None, n: int, p: int) -> Tensor:
    """The n frames after a past, (B, any, C, H, W), block after block; each is told the last p frames before it.

    Without a past the first block is told nothing, and the second what the first made, even if that is less than p frames.
    """
    made = [] if past is None else [past]
    known = 0 if past is None else past.shape[1]
    while (frames := sum(part.shape[1] for part in made)) < known + n:
        made.append(block(torch.cat(made, dim=1)[:, -p:] if frames and p else None, None))
    return torch.cat(made, dim=1)[:, known : known + n]


def backwards(block: Block, future: Tensor, n: int, f: int) -> Tensor:
    """The n frames before a future, (B, any, C, H, W), block before block; each is told the first f frames after it."""

    def mirrored(after: Tensor | None, _: None) -> Tensor:
        return block(None, after.flip(1) if after is not None else None).flip(1)

    return forwards(mirrored, future.flip(1), n, f).flip(1)


def between(block: Block, keys: Tensor, levels: int) -> Tensor:
    """Fill the gaps between frames, then those between them and the new ones, `levels` times.

    Args:
        block: is given all gaps of a level as one batch, (B G, 1, C, H, W) on either side, the G gaps of a video together.
        keys: (B, N, C, H, W), (k + 1)^levels frames apart.
        levels: how often.

    Returns:
        (B, (N - 1) (k + 1)^levels + 1, C, H, W).
    """
    for level in reversed(range(levels)):
        before, after = keys[:, :-1], keys[:, 1:]
        if before.shape[1]:
            gaps = block(before.flatten(0, 1)[:, None], after.flatten(0, 1)[:, None], level=level)
            filled = torch.cat([before[:, :, None], gaps.unflatten(0, before.shape[:2])], dim=2)
            keys = torch.cat([filled.flatten(1, 2), keys[:, -1:]], dim=1)
    return keys


def at_level(block: Block, level: int) -> Block:
    """A block whose frames are those of a level apart."""
    return partial(block, level=level)
