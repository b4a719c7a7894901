"""A network that is told what it has to know besides the noisy frames: it then looks like any diffusion's."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from unveil.models.video_diffusion.folding import fold
from unveil.models.video_diffusion.layout import Layout


def tell(layout: Layout, frames: Tensor, keep: Tensor) -> Tensor:
    """The frames around blocks as a network is told them.

    Args:
        layout: says whether the network is told which frames are masked.
        frames: (B, p + f, C, H, W).
        keep: which are kept, (B, p + f), 1 or 0; the others become zero.

    Returns:
        (B, channels, H, W).
    """
    known = fold(frames * keep[:, :, None, None, None])
    if not layout.told:
        return known
    return torch.cat([known, keep[:, :, None, None].expand(-1, -1, *frames.shape[3:])], dim=1)


def known_frames(layout: Layout, past: Tensor | None, future: Tensor | None, shape: torch.Size) -> Tensor:
    """The same of frames before a block, (B, p or fewer, *shape), and after it, (B, f or fewer, *shape), or of none.

    Fewer frames are those next to the block. Where neither is given, the first axis is 1.
    """
    given = [frames for frames in (past, future) if frames is not None]
    like = given[0] if given else torch.zeros(1, 0, *shape)
    frames = like.new_zeros(len(like), layout.around, *shape)
    keep = like.new_zeros(len(like), layout.around)
    if past is not None:
        first = layout.p - past.shape[1]
        frames[:, first : layout.p], keep[:, first : layout.p] = past, 1
    if future is not None:
        last = layout.p + future.shape[1]
        frames[:, layout.p : last], keep[:, layout.p : last] = future, 1
    return tell(layout, frames, keep)


@dataclass(frozen=True)
class Told:
    """A video network, told the frames around a block and their spacing.

    Attributes:
        net: (x, t, known, label=, prepared=, steering=) -> prediction; see `VideoDiffusion`.
        known: the frames around the block, side by side, (B, channels, H, W), or (1, channels, H, W) for all.
        level: of the spacing, one of all, or (B,); None where the network is told none.
        prepared: what the network made of the known frames, tensors whose first axis is as theirs.
    """

    net: Callable[..., Tensor]
    known: Tensor
    level: int | Tensor | None = None
    prepared: tuple[Tensor, ...] | None = None

    def __call__(self, x: Tensor, t: Tensor, *, steering: Tensor | None = None) -> Tensor:
        """What the network says of x at times t, (B,)."""
        besides: dict[str, Any] = {} if self.prepared is None else {"prepared": self.prepared}
        if steering is not None:
            besides["steering"] = steering
        elif self.level is not None:
            besides["label"] = self._label(len(x))
        return self.net(x, t, self.known, **besides)

    @property
    def steering(self) -> Callable[[Tensor], Tensor] | None:
        """What the network makes of times beforehand, where it can."""
        make: Callable[..., Tensor] | None = getattr(self.net, "steering", None)
        if make is None or isinstance(self.level, Tensor):
            return None
        return make if self.level is None else lambda times: make(times, self._label(len(times)))

    def rows(self, index: Tensor) -> "Told":
        """The network, told of some samples only."""

        def some(x: Tensor) -> Tensor:
            return x if len(x) == 1 else x[index]

        level = some(self.level) if isinstance(self.level, Tensor) else self.level
        prepared = None if self.prepared is None else tuple(map(some, self.prepared))
        return replace(self, known=some(self.known), level=level, prepared=prepared)

    def _label(self, n: int) -> Tensor:
        if isinstance(self.level, Tensor):
            return self.level
        assert self.level is not None
        return torch.full((n,), self.level, device=self.known.device)
