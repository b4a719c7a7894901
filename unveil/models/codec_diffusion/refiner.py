"""A network that mends pictures whose codes were a little wrong."""

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError
from unveil.divergences import structural_similarity

WINDOW = 11


class Refiner(nn.Module):
    """Finds what is to be added to a decoded picture, so that it looks as if its codes had been right.

    A code that is off by one decodes to another patch, and rounded samples of a continuous diffusion are off by that much.

    Args:
        net: (pictures, time) -> what to add, (B, C, H, W) -> (B, C, H, W); it is told the time 0.
        spread: standard deviations, least and largest, of the noise on codes that it learns to mend, in codes.
        share: how long it is trained, as a share of the steps of the generator before it.

    Raises:
        ConfigError: a number that cannot be.
    """

    def __init__(self, net: nn.Module, *, spread: tuple[float, float] = (0.5, 8.0), share: float = 0.2) -> None:
        super().__init__()
        low, high = spread
        if not 0 <= low <= high < float("inf"):
            raise ConfigError(f"The refiner's noise is {low} to {high} codes; it needs 0 <= least <= largest.")
        if not 0 < share <= 1:
            raise ConfigError(f"The refiner's share of the steps is {share}; it lies above 0, and 1 is the most.")
        self.net, self.spread, self.share = net, (low, high), share

    def forward(self, x: Tensor) -> Tensor:
        """Decoded pictures (B, C, H, W) in [-1, 1] -> mended ones, which may leave [-1, 1] a little."""
        mended: Tensor = x + self.net(x, torch.zeros((), device=x.device))
        return mended

    def loss(self, decoded: Tensor, x: Tensor) -> Tensor:
        """The mean absolute error of mending decoded pictures, plus what their structure lacks in similarity to x."""
        mended, side = self(decoded), min(x.shape[-2:])
        window = min(WINDOW, side - 1 + side % 2)
        alike = structural_similarity(mended, x, window=window)
        return (mended - x).abs().mean() + (1 - alike).mean()
