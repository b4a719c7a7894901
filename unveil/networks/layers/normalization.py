"""Group normalization."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import ConfigError


def groups_for(channels: int, limit: int = 32) -> int:
    """Largest number of equal groups, at most `limit`, that leaves four channels or more in each (one if there is none)."""
    return max(n for n in range(1, max(1, min(channels // 4, limit)) + 1) if channels % n == 0)


class GroupNorm(nn.GroupNorm):
    """Group normalization whose statistics are float32 at least, whatever the precision around it.

    The result has the type of the input, so that mixed precision stays mixed.

    Args:
        groups: how many groups the channels are split into.
        channels: channels of the input (B, C, ...).
        eps: added to the variance.
        affine: whether each channel has a weight and a bias of its own.

    Raises:
        ConfigError: the groups do not divide the channels.

    Source: Wu & He (2018), arXiv:1803.08494.
    """

    def __init__(self, groups: int, channels: int, eps: float = 1e-5, *, affine: bool = True) -> None:
        if groups < 1 or channels % groups:
            raise ConfigError(
                f"{channels} channels cannot be normalized in {groups} groups; choose groups that divide them."
            )
        super().__init__(groups, channels, eps, affine)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x (B, C, ...)."""
        if x.dtype not in (torch.float16, torch.bfloat16):
            return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
        weight, bias = (None if own is None else own.float() for own in (self.weight, self.bias))
        return F.group_norm(x.float(), self.num_groups, weight, bias, self.eps).to(x.dtype)


def silu(x: Tensor) -> Tensor:
    """SiLU of a fresh tensor of any shape, in place where no gradient will ask for its input."""
    return F.silu(x, inplace=not torch.is_grad_enabled())
