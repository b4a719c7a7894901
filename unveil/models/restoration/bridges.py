"""One step back within a chain: p(y_k | y_{k+1}, x), where the chain is one of noise alone."""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.shapes import expand_as, mean_per_sample
from unveil.models.restoration.degradation import Degradation


@dataclass(frozen=True)
class Bridge:
    """From level k + 1 back to k: y_k is Gaussian about clean A x + state y_{k+1}; forth it is kept y_k + added n.

    Attributes:
        clean: what A x is multiplied by.
        state: what y_{k+1} is multiplied by.
        std: of y_k given both.
        kept: what y_k is multiplied by on the way forth.
        added: standard deviation of the noise of that step.
    """

    clean: float
    state: float
    std: float
    kept: float
    added: float


class Bridges:
    """The bridges of a chain whose levels all measure with one operator, and differ in alpha and noise alone.

    Args:
        degradation: the chain.

    Raises:
        ConfigError: levels have different operators, so that going on adds no noise in some directions and the posterior
            is singular; or noise falls from a level to the next.

    Source: Choi et al. (2023), arXiv:2303.05456, eq. 12, for A_k = alpha_k A.
    """

    def __init__(self, degradation: Degradation) -> None:
        first = degradation.levels[0]
        if any(level.operator is not first.operator or level.lift is not first.lift for level in degradation.levels):
            raise ConfigError(
                "Posterior sampling needs a chain of noise alone, in which all levels share one operator (noising); this "
                "chain has several. Train it with sampling='prior'."
            )
        self.degradation = degradation
        self.table = [self._between(k) for k in range(degradation.steps)]
        columns = [[getattr(each, name) for each in self.table] for name in ("clean", "state", "std", "kept", "added")]
        self._columns = torch.tensor(columns, dtype=torch.float64)

    def _between(self, k: int) -> Bridge:
        near, far = self.degradation.levels[k], self.degradation.levels[k + 1]
        kept = far.alpha / near.alpha
        added = far.std**2 - (kept * near.std) ** 2
        if added <= 0:
            raise ConfigError(
                f"From level {k} to {k + 1} this chain adds no noise, so there is no posterior to sample; let std / alpha "
                "rise from level to level, or train with sampling='prior'."
            )
        total = far.std**2
        return Bridge(
            near.alpha * added / total, kept * near.std**2 / total, near.std * sqrt(added / total), kept, sqrt(added)
        )

    def _of(self, k: Tensor | int, x: Tensor) -> list[Tensor]:
        return [expand_as(column, x) for column in self._columns.to(x)[:, k]]

    def back(self, x_hat: Tensor, y: Tensor, k: Tensor | int, noise: Tensor, *, scale: float = 1.0) -> Tensor:
        """Draw y_k between an estimate of the clean samples and y_{k+1}, (B, ...); noise as for `Degradation.observe`."""
        clean, state, std, _, _ = self._of(k, x_hat)
        level = self.degradation.levels[0]
        measured = level.operator.forward(x_hat)
        numbers = noise[:, : measured[0].numel()].reshape(measured.shape)
        mean = clean * level.lifted(measured, x_hat.shape) + state * y
        return mean + scale * std * level.lifted(numbers, x_hat.shape)

    def misfit(self, y_k: Tensor, y: Tensor, k: Tensor | int) -> Tensor:
        """|kept y_k - y_{k+1}|^2 / (2 added^2), averaged over the numbers of a sample, (B,)."""
        *_, kept, added = self._of(k, y_k)
        return 0.5 * mean_per_sample(((kept * y_k - y) / added).square())
