"""A denoiser of photographs: it removes white noise of any strength, and is not told how strong it is."""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.protocols import Batch, Move, Randomness, Stage
from unveil.core.random import rand, randn_like

LEVELS = 64
"""Noise levels that a solver may choose from."""


class BlindDenoiser(nn.Module):
    """A network that is shown noisy pieces of photographs and learns to give the clean ones.

    It is a prior for every solver of `unveil.inverse`: what it takes away is what photographs do not have.

    Args:
        net: noisy images -> clean images, (B, C, H, W) -> (B, C, H, W), of any size.
        channels: of the images.
        sigma_min: standard deviation of the weakest noise that is learned, for images in [-1, 1].
        sigma_max: that of the strongest.

    Raises:
        ConfigError: the two are not above 0 and in order.

    Source: Zhang et al. (2017), arXiv:1608.03981, section III.D, for one network for all strengths; Zhang et al. (2021),
    arXiv:2008.13751, for the absolute error and for its use in restoration.
    """

    def __init__(self, net: nn.Module, channels: int, *, sigma_min: float = 0.01, sigma_max: float = 0.5) -> None:
        super().__init__()
        if not 0 < sigma_min < sigma_max:
            raise ConfigError(
                f"BlindDenoiser got sigma_min={sigma_min}, sigma_max={sigma_max}; it needs 0 < sigma_min < sigma_max."
            )
        self.net, self.channels = net, channels
        self.low, self.high = math.log(sigma_min), math.log(sigma_max)
        self.sigmas: Sequence[float] = torch.linspace(self.low, self.high, LEVELS, dtype=torch.float64).exp().tolist()

    # -- training ---------------------------------------------------------------------------------------------------

    def loss(self, x: Tensor, generator: Randomness = None) -> Tensor:
        """The mean absolute error of restoring x, (B, C, H, W), from noise of random strength."""
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ShapeError(f"This denoiser was made for images (B, {self.channels}, H, W); it got {tuple(x.shape)}.")
        share = rand((len(x), 1, 1, 1), generator, device=x.device)
        sigma = torch.exp(self.low + (self.high - self.low) * share)
        return (self.net(x + sigma * randn_like(x, generator)) - x).abs().mean()

    def moves(self, batch: Batch) -> Iterator[Move]:
        """One training step."""
        yield Move("model", self.loss(batch.x, batch.generator))

    def stages(self, steps: int | Mapping[str, int]) -> list[Stage]:
        """The only stage, "train"."""
        return [Stage.only({"model": self}, steps, self.moves)]

    # -- a prior ----------------------------------------------------------------------------------------------------

    def degrade(self, x: Tensor, level: int, generator: Randomness = None, *, scale: float = 1.0) -> Tensor:
        """Add white noise of a level's strength to x, (B, C, H, W)."""
        if not 1 <= level <= LEVELS:
            raise ConfigError(f"This prior has the noise levels 1 to {LEVELS}; it was asked for level {level}.")
        return x + scale * self.sigmas[level - 1] * randn_like(x, generator)

    def restore(self, y: Tensor, level: int, generator: Randomness = None) -> Tensor:
        """Estimate the clean images of y, (B, C, H, W); the level tells it nothing that it does not see."""
        clean: Tensor = self.net(y)
        return clean
