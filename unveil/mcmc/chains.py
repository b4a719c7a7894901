"""How chains begin and live on: anew each time from noise, or from where they were left."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.random import Randomness, rand, randn
from unveil.mcmc.bank import Bank

Start = Callable[[int, Randomness], Tensor]
"""(n, generator) -> n states where chains begin."""

Chain = Callable[[Tensor, Randomness], Tensor]
"""(states, generator) -> where they came to, such as `langevin` with everything else settled."""


@dataclass(frozen=True)
class NoiseStart:
    """Chains begin in noise: uniform on [-scale, scale], or Gaussian of that standard deviation.

    Attributes:
        shape: of one state, such as (3, 32, 32).
        kind: "uniform" or "gaussian".
        scale: above 0.
        grey: one plane of noise for all channels, the first axis of the shape.
        device: where the states lie.
    """

    shape: Sequence[int]
    kind: Literal["uniform", "gaussian"] = "uniform"
    scale: float = 1.0
    grey: bool = False
    device: torch.device | str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("uniform", "gaussian"):
            raise ConfigError(f"Chains begin in uniform or gaussian noise; it got kind={self.kind!r}.")
        if not self.scale > 0:
            raise ConfigError(f"The scale of noise is above 0; it got {self.scale}.")

    def __call__(self, n: int, generator: Randomness = None) -> Tensor:
        """Draw n states, (n, *shape)."""
        shape = (n, 1, *self.shape[1:]) if self.grey else (n, *self.shape)
        if self.kind == "uniform":
            drawn = rand(shape, generator, device=self.device).mul_(2).sub_(1)
        else:
            drawn = randn(shape, generator, device=self.device)
        return drawn.mul_(self.scale).expand(n, *self.shape).contiguous()


@dataclass(frozen=True)
class ShortRun:
    """Chains that begin anew each time and take a fixed few steps: a generator, rather than a sampler of the energy.

    Source: Nijkamp et al. (2019), arXiv:1904.09770.
    """

    start: Start
    chain: Chain

    def __call__(self, n: int, generator: Randomness = None) -> Tensor:
        """Run n chains."""
        return self.chain(self.start(n, generator), generator)


@dataclass(frozen=True)
class Persistent:
    """Chains that go on where they were left, in a bank that holds many more of them than are run at a time.

    Attributes:
        bank: of states alone, under the name "x"; how often they begin anew is the bank's `reset`.
        chain: what runs them.

    Source: Tieleman (2008), Training restricted Boltzmann machines using approximations to the likelihood gradient; with
    a bank: Du and Mordatch (2019), arXiv:1903.08689.
    """

    bank: Bank
    chain: Chain

    def __call__(self, n: int, generator: Randomness = None) -> Tensor:
        """Run n chains of the bank, and leave them there."""
        slots, drawn = self.bank.draw(n, generator)
        x = self.chain(drawn["x"], generator)
        self.bank.overwrite(slots, {"x": x})
        return x
