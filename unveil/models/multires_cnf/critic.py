"""A critic of pictures of one resolution, for the adversarial term."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


class Critic(nn.Module):
    """Four convolutions with weights of spectral norm 1: (B, C, H, W) -> (B,), high for what seems real.

    Source: Miyato et al. (2018), arXiv:1802.05957.
    """

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        widths = (channels, width, width, width)
        self.layers = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 3, padding=1)) for a, b in pairwise(widths))
        self.last = spectral_norm(nn.Conv2d(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Judge pictures."""
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
        score: Tensor = self.last(x).mean((1, 2, 3))
        return score


def hinge(real: Tensor, fake: Tensor) -> Tensor:
    """What the critic lowers."""
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()


def clipped(loss: Tensor, module: nn.Module, most: float) -> Tensor:
    """A term of value zero whose gradient is that of `loss`, its norm at most `most`."""
    weights = [value for value in module.parameters() if value.requires_grad]
    slopes = torch.autograd.grad(loss, weights, materialize_grads=True)
    norm = torch.stack(torch._foreach_norm(list(slopes))).norm()
    factor = (most / (norm + 1e-6)).clamp(max=1.0)
    return torch.stack(
        [((value - value.detach()) * (factor * slope)).sum() for value, slope in zip(weights, slopes, strict=True)]
    ).sum()
