"""Networks of points for models that denoise, propose and judge: small enough to look inside."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.layers import SinusoidalFeatures


class PointDenoiser(nn.Module):
    """What a diffusion asks of a network, for points: (x_t, t) -> prediction, (B, d) -> (B, d).

    Args:
        dimension: of a point.
        hidden: width of each of the three hidden layers, an even number of at least 4.
    """

    def __init__(self, dimension: int = 2, *, hidden: int = 128) -> None:
        super().__init__()
        self.features = SinusoidalFeatures(hidden)
        self.layers = _layers(dimension + hidden, hidden, dimension)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Points (B, d) at times (B,)."""
        out: Tensor = self.layers(torch.cat([x_t, self.features(t).to(x_t)], 1))
        return out


class PointEnergy(nn.Module):
    """Gives every point one number, (B, d) -> (B,), low where data is.

    Args:
        dimension: of a point.
        hidden: width of each of the three hidden layers.
        zoom: what points are multiplied by first. A fresh network bends over distances of about one, and hardly learns to
            bend over much shorter ones: where data lie closer, bring them to that.

    Raises:
        ConfigError: a number out of range.
    """

    def __init__(self, dimension: int = 2, *, hidden: int = 128, zoom: float = 1.0) -> None:
        super().__init__()
        if not (math.isfinite(zoom) and zoom > 0):
            raise ConfigError(f"PointEnergy got zoom={zoom}; it must be a finite number above 0.")
        self.zoom = zoom
        self.layers = _layers(dimension, hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Points (B, d) -> energies (B,)."""
        energies: Tensor = self.layers(self.zoom * x).squeeze(1)
        return energies


class PointProposal(nn.Module):
    """Latents become points: (B, latent) -> (B, d).

    Args:
        dimension: of a point.
        latent: numbers of a latent.
        hidden: width of each of the three hidden layers.
    """

    def __init__(self, dimension: int = 2, *, latent: int = 2, hidden: int = 128) -> None:
        super().__init__()
        self.latent = latent
        self.layers = _layers(latent, hidden, dimension)

    def forward(self, z: Tensor) -> Tensor:
        """Latents (B, latent) -> points (B, d).

        Raises:
            ShapeError: latents of another length.
        """
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise ShapeError(f"The proposal takes latents (B, {self.latent}); it got {tuple(z.shape)}.")
        x: Tensor = self.layers(z)
        return x


def _layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    if min(inputs, hidden, outputs) < 1:
        raise ConfigError(
            f"A network of points got {inputs} inputs, hidden={hidden}, {outputs} outputs; 1 is the least."
        )
    widths = (inputs, hidden, hidden, hidden)
    body = (part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.SiLU()))
    return nn.Sequential(*body, nn.Linear(hidden, outputs))
