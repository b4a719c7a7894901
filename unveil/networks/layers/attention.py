"""Self-attention over the pixels of an image."""

import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import ConfigError
from unveil.networks.layers.initialization import initialize
from unveil.networks.layers.normalization import GroupNorm


class SelfAttention(nn.Module):
    """Every pixel attends to every pixel; the result is added to the input.

    Args:
        channels: channels C of the input.
        head_channels: channels of one head; None, or more than C, means one head.
        groups: groups of the normalization before it.
        eps: of that normalization.
        gain: what the sum of input and result is multiplied by; 1/sqrt(2) keeps its variance.

    Raises:
        ConfigError: the heads do not divide the channels.

    Source: Ho et al. (2020), arXiv:2006.11239, appendix B; heads as in Dhariwal & Nichol (2021), arXiv:2105.05233.
    """

    def __init__(
        self, channels: int, *, groups: int, head_channels: int | None = None, eps: float = 1e-5, gain: float = 1.0
    ) -> None:
        super().__init__()
        width = min(head_channels or channels, channels)
        if width < 1 or channels % width:
            raise ConfigError(
                f"Attention over {channels} channels cannot have heads of {head_channels}; "
                "choose head_channels that divide the channels of every level with attention, or None for one head."
            )
        self.heads, self.gain = channels // width, gain
        self.norm = GroupNorm(groups, channels, eps)
        self.qkv = initialize(nn.Conv2d(channels, 3 * channels, 1), scale=0.1, parts=3)
        self.out = initialize(nn.Conv2d(channels, channels, 1), scale=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Attend within each image of x (B, C, H, W)."""
        # Channels-last convolutions leave (B, HW, 3C) contiguous, so nothing is copied here.
        qkv = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).contiguous()
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=2))
        h = F.scaled_dot_product_attention(q, k, v)  # (B, heads, HW, width)
        h = self.out(h.transpose(2, 3).flatten(1, 2).unflatten(2, x.shape[2:]))
        return h.add_(x) if self.gain == 1 else h.add_(x).mul_(self.gain)
