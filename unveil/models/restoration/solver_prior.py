"""A model of restoration as solvers of inverse problems ask for it."""

from collections.abc import Callable

from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Randomness
from unveil.models.restoration.degradation import Degradation, Level


class RestorationPrior:
    """Levels 1 .. T of a degradation, beside images that are not scaled: y / alpha.

    An image may be larger than those of training where operators and generator allow it.

    Args:
        degradation: the chain.
        restorer: (y, level, randomness) -> x_hat for y as the chain scales it; it draws the latent.

    Attributes:
        sigmas: std / (alpha |A|) of each level: the white noise on a full-size image that leaves as much noise once it is
            measured. A step that only takes pixels away leaves it as it was.
    """

    def __init__(self, degradation: Degradation, restorer: Callable[[Tensor, int, Randomness], Tensor]) -> None:
        self.degradation, self._restorer = degradation, restorer
        self.sigmas = tuple(level.sigma for level in degradation.levels[1:])

    def __len__(self) -> int:
        return len(self.sigmas)

    def _level(self, level: int) -> Level:
        if not 1 <= level <= len(self):
            raise ConfigError(f"This prior has the levels 1 to {len(self)}; it was asked for level {level}.")
        return self.degradation.levels[level]

    def degrade(self, x: Tensor, level: int, generator: Randomness = None, *, scale: float = 1.0) -> Tensor:
        """What level j shows of x, (B, C, H, W), with its noise times `scale`, and divided by alpha."""
        chosen = self._level(level)
        if scale == 0:
            return chosen.shown(x)
        return self.degradation.degrade(x, level, generator, scale=scale) / chosen.alpha

    def restore(self, y: Tensor, level: int, generator: Randomness = None) -> Tensor:
        """Restore what `degrade` made, or denoise a full-size image with noise of sigma_j, (B, C, H, W).

        Where a level measures fewer pixels, y is measured first, which changes nothing of what `degrade` made; a level with a
        lift of its own takes y as it is. Gradients flow to y.
        """
        chosen = self._level(level)
        if chosen.lift is None:
            measured = chosen.operator.forward(y)
            if measured.shape != y.shape:
                y = chosen.lifted(measured, y.shape)
        return self._restorer(chosen.alpha * y, level, generator)
