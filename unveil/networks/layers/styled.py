"""Blocks whose normalizations are steered by a style: a vector made of a random latent."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.networks.layers.initialization import initialize
from unveil.networks.layers.normalization import GroupNorm, silu


class Style(nn.Module):
    """A latent to a style: brought to unit mean square, then through linear layers with SiLU.

    Args:
        latent: numbers of a latent.
        width: numbers of a style.
        layers: after the first.

    Source: Karras et al. (2019), arXiv:1812.04948, section 2; as in Xiao et al. (2022), arXiv:2112.07804, appendix C.
    """

    def __init__(self, latent: int, width: int = 256, layers: int = 4) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [initialize(nn.Linear(latent if i == 0 else width, width)) for i in range(layers + 1)]
        )

    def forward(self, z: Tensor) -> Tensor:
        """Styles (B, width) of latents z (B, latent); a latent of zeros is no latent."""
        h = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.layers:
            h = F.silu(layer(h))
        return h


class AdaptiveNorm(nn.Module):
    """Group normalization whose scale and shift of each channel are read off a style; it begins as the plain one.

    Args:
        groups: of the normalization.
        channels: of the input.
        style: numbers of a style.
        eps: added to the variance.
    """

    def __init__(self, groups: int, channels: int, style: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm = GroupNorm(groups, channels, eps)
        self.norm.weight.requires_grad_(False)  # the style scales and shifts instead
        self.norm.bias.requires_grad_(False)
        self.steer = initialize(nn.Linear(style, 2 * channels))
        with torch.no_grad():
            self.steer.bias[:channels] = 1.0

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x (B, C, H, W) and style (B, style) -> (B, C, H, W)."""
        scale, shift = self.steer(style)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(shift, scale, self.norm(x))


class StyledBlock(nn.Module):
    """Two convolutions between normalizations that a style steers, told the time by a shift, added to their input.

    h = conv(silu(norm(x))) + shift; h = conv(dropout(silu(norm(h)))); the sum of x and h over sqrt(2).

    Args:
        inputs: channels of the input.
        outputs: channels of the output; where they differ, the input passes a 1 x 1 convolution.
        groups: of the first and of the second normalization.
        style: numbers of a style.
        dropout: probability of dropping a number before the second convolution.
        resample: halves or doubles the sides of both branches, in front of the first convolution; None leaves them.

    Source: Xiao et al. (2022), arXiv:2112.07804, appendix C.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        groups: tuple[int, int],
        style: int,
        dropout: float = 0.0,
        resample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.dropout, self.shifts = dropout, outputs
        self.norm1 = AdaptiveNorm(groups[0], inputs, style)
        self.resample = resample
        self.conv1 = initialize(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.norm2 = AdaptiveNorm(groups[1], outputs, style)
        self.conv2 = initialize(nn.Conv2d(outputs, outputs, 3, padding=1), scale=1e-10)
        self.skip = initialize(nn.Conv2d(inputs, outputs, 1)) if inputs != outputs or resample is not None else None

    def forward(self, x: Tensor, shift: Tensor, style: Tensor) -> Tensor:
        """x (B, inputs, H, W), shift (B, outputs), style (B, style) -> (B, outputs, H', W')."""
        h = silu(self.norm1(x, style))
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x)
        h = self.conv1(h) + shift[:, :, None, None]
        h = silu(self.norm2(h, style))
        if self.dropout and self.training:
            h = F.dropout(h, self.dropout)
        h = self.conv2(h)
        return (h + (x if self.skip is None else self.skip(x))) * 0.5**0.5
