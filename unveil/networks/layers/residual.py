"""The residual block, in three styles."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.networks.layers.initialization import initialize
from unveil.networks.layers.normalization import GroupNorm, silu


class ResidualBlock(nn.Module):
    """Two convolutions, steered by a shift vector, added to their input.

    h = conv(silu(norm(x))); h = conv(dropout(silu(norm(h + shift)))); the sum of x and h.

    Args:
        inputs: channels of the input.
        outputs: channels of the output; where they differ, the input passes a 1 x 1 convolution.
        groups: groups of the first and of the second normalization.
        eps: of the normalizations.
        dropout: probability of dropping a number before the second convolution.
        adaptive: the vector holds a scale and a shift applied after the second normalization, norm(h) (1 + scale) +
            shift, instead of a shift added before it.
        resample: halves or doubles the sides of both branches, in front of the first convolution; None leaves them.
        gain: what the sum is multiplied by; 1/sqrt(2) keeps its variance.
        project: a 1 x 1 convolution on the input even where the channels do not change.

    Source: Ho et al. (2020), arXiv:2006.11239; adaptive and resample, Dhariwal & Nichol (2021), arXiv:2105.05233;
    gain and project, Song et al. (2021), arXiv:2011.13456, appendix H.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        groups: tuple[int, int],
        eps: float = 1e-5,
        dropout: float = 0.0,
        adaptive: bool = False,
        resample: nn.Module | None = None,
        gain: float = 1.0,
        project: bool = False,
    ) -> None:
        super().__init__()
        self.adaptive, self.gain, self.dropout = adaptive, gain, dropout
        self.norm1 = GroupNorm(groups[0], inputs, eps)
        self.resample = resample
        self.conv1 = initialize(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.norm2 = GroupNorm(groups[1], outputs, eps)
        self.conv2 = initialize(nn.Conv2d(outputs, outputs, 3, padding=1), scale=0.0)
        self.skip = initialize(nn.Conv2d(inputs, outputs, 1)) if project or inputs != outputs else None
        self.shifts = 2 * outputs if adaptive else outputs
        """How many numbers the block wants to be steered by."""

    def forward(self, x: Tensor, shift: Tensor) -> Tensor:
        """x (B, inputs, H, W) and shift (B, shifts), or (1, shifts) for all -> (B, outputs, H', W')."""
        h = silu(self.norm1(x))
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x)
        h = self.conv1(h)
        shift = shift[:, :, None, None]
        if self.adaptive:
            scale, shift = shift.chunk(2, dim=1)
            h = silu(torch.addcmul(shift, self.norm2(h), 1 + scale))
        else:
            h = silu(self.norm2(h.add_(shift)))
        if self.dropout and self.training:
            h = F.dropout(h, self.dropout)
        h = self.conv2(h)
        if self.skip is not None:
            x = self.skip(x)
        return h.add_(x) if self.gain == 1 else h.add_(x).mul_(self.gain)
