"""How the image is spoiled, from which the recovery chains of the coarsest scale start."""

from typing import Literal, get_args

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.pyramids import resize

Corruption = Literal["blur", "mask", "noise", "colours"]
BLUR = 0.75
"""To which share of its sides an image is shrunk and enlarged again."""
_BLOCK, _STD, _LEVELS = 3, 0.3, 4


def check_corruption(kind: str) -> None:
    """Refuse what is no corruption.

    Raises:
        ConfigError: the name is unknown.
    """
    if kind not in get_args(Corruption):
        raise ConfigError(f"corruption {kind!r} is not known; take {', '.join(get_args(Corruption))}.")


def corrupted(x: Tensor, kind: Corruption = "blur") -> Tensor:
    """Spoil images (B, C, H, W) in [-1, 1], always in the same way.

    Args:
        x: the images.
        kind: "blur" shrinks to three quarters and enlarges again; "mask" makes half of all blocks of 3 x 3 pixels grey;
            "noise" adds white noise of deviation 0.3; "colours" leaves four values of each channel.
    """
    check_corruption(kind)
    streams = Streams(0, len(x))
    if kind == "blur":
        small = tuple(max(1, round(BLUR * side)) for side in x.shape[-2:])
        return resize(resize(x, small), x.shape[-2:]).clamp(-1, 1)
    if kind == "noise":
        return (x + _STD * streams.randn(x.shape).to(x)).clamp(-1, 1)
    if kind == "colours":
        return ((x + 1) / 2 * (_LEVELS - 1)).round() / (_LEVELS - 1) * 2 - 1
    blocks = tuple(-(-side // _BLOCK) for side in x.shape[-2:])
    kept = (streams.rand((len(x), 1, *blocks)) < 0.5).to(x)
    kept = kept.repeat_interleave(_BLOCK, -2).repeat_interleave(_BLOCK, -1)[..., : x.shape[-2], : x.shape[-1]]
    return torch.where(kept.bool(), x, torch.zeros_like(x))
