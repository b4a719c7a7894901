"""Pictures whose patches have changed places: what is near stays, what is far is lost."""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.random import Randomness, rand


def shuffle_patches(x: Tensor, patch: int, generator: Randomness = None) -> Tensor:
    """Cut pictures (B, C, H, W) into squares of `patch` pixels a side, and put each one's squares in an order of its own.

    A patch of one pixel leaves nothing but the colours; one as large as the picture leaves it as it is.

    Raises:
        ConfigError: patches do not fill the picture.
    """
    batch, channels, height, width = x.shape
    if patch < 1 or height % patch or width % patch:
        raise ConfigError(
            f"Pictures of {width} x {height} cannot be cut into squares of {patch} pixels; take a divisor of both."
        )
    tall, wide = height // patch, width // patch
    cut = x.reshape(batch, channels, tall, patch, wide, patch).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = rand((batch, tall * wide), generator, device=x.device).argsort(1)
    moved = cut.gather(1, order.reshape(batch, -1, 1, 1, 1).expand_as(cut))
    return torch.reshape(moved.unflatten(1, (tall, wide)).permute(0, 3, 1, 4, 2, 5), x.shape)
