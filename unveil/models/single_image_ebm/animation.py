"""A random field that changes smoothly in time and always stays near zero."""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.random import Randomness, Streams

_BEFORE = 60  # frames that pass before the first, so that the field has forgotten how it began


def recovery_field(
    frames: int, size: tuple[int, int], *, pull: float = 0.1, smoothness: float = 0.9, generator: Randomness = None
) -> Tensor:
    """Frames of noise, (frames, 1, *size), of standard deviation 1 over all of them.

    w_{t+1} = (1 - pull) (w_t + d), with d = smoothness (w_t - w_{t-1}) + (1 - smoothness) u and u white.

    Args:
        frames: how many.
        size: (height, width).
        pull: in (0, 1), how strongly the field is drawn to zero.
        smoothness: in [0, 1), how much of its motion lasts.
        generator: of u.

    Raises:
        ConfigError: a number out of range.

    Source: Shaham et al. (2019), arXiv:1905.01164, section 4, animation from a single image.
    """
    if not (0 < pull < 1 and 0 <= smoothness < 1):
        raise ConfigError(
            f"pull={pull}, smoothness={smoothness}: the first must lie between 0 and 1, the second from 0 to below 1."
        )
    streams = Streams.of(generator, 1)
    now = before = torch.zeros(1, 1, *size)
    seen = []
    for frame in range(_BEFORE + frames):
        motion = smoothness * (now - before) + (1 - smoothness) * streams.randn(now.shape)
        now, before = (1 - pull) * (now + motion), now
        if frame >= _BEFORE:
            seen.append(now)
    field = torch.cat(seen)
    return field / field.std().clamp(min=1e-6)
