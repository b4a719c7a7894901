"""A generator and a critic of points, small enough to look inside."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError


class PointGenerator(nn.Module):
    """Restores points from level k of a chain: (y, k, z) -> x_hat, with k told as k / steps.

    Args:
        dimension: of a point.
        steps: levels of the chain.
        latent: numbers of z.
        hidden: width of each of the three hidden layers.

    Source: Choi et al. (2023), arXiv:2303.05456, released code.
    """

    def __init__(self, dimension: int = 2, *, steps: int = 4, latent: int = 2, hidden: int = 32) -> None:
        super().__init__()
        _check(dimension, steps, latent, hidden)
        self.steps, self.latent = steps, latent
        self.layers = _layers(dimension + 1 + latent, hidden)
        self.last = nn.Linear(hidden, dimension)

    def forward(self, y: Tensor, k: Tensor, z: Tensor) -> Tensor:
        """Points y (B, d), levels k (B,), latents z (B, latent) -> (B, d)."""
        x_hat: Tensor = self.last(self.layers(torch.cat([y, k.to(y)[:, None] / self.steps, z], dim=1)))
        return x_hat


class PointDiscriminator(nn.Module):
    """Judges points of level k: (y, k) -> (logit, features), with k told as k / steps.

    Args:
        dimension: of a point.
        steps: levels of the chain.
        hidden: width of each of the three hidden layers; the last one's numbers are the features.

    Source: Choi et al. (2023), arXiv:2303.05456, released code.
    """

    def __init__(self, dimension: int = 2, *, steps: int = 4, hidden: int = 32) -> None:
        super().__init__()
        _check(dimension, steps, 1, hidden)
        self.steps = steps
        self.layers = _layers(dimension + 1, hidden)
        self.last = nn.Linear(hidden, 1)

    def forward(self, y: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Points y (B, d) and levels k (B,) -> logits (B,), above 0 where a point seems real, and features (B, hidden)."""
        features = self.layers(torch.cat([y, k.to(y)[:, None] / self.steps], dim=1))
        return self.last(features).squeeze(1), features


def _layers(inputs: int, hidden: int) -> nn.Sequential:
    widths = (inputs, hidden, hidden, hidden)
    return nn.Sequential(*(part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.Tanh())))


def _check(dimension: int, steps: int, latent: int, hidden: int) -> None:
    if min(dimension, steps, latent, hidden) < 1:
        raise ConfigError(
            f"A network of points got dimension={dimension}, steps={steps}, latent={latent}, hidden={hidden}; each must be "
            "at least 1."
        )
