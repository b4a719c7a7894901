"""The contracts between parts. Nobody must inherit from these: a thing that has the methods is one."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from unveil.core.random import Randomness, Streams

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""(x_t, t) -> E[x | x_t], with t of shape () or (B,)."""

Energy = Callable[[Tensor], Tensor]
"""x -> (B,), low where data is: the density is proportional to exp(-energy)."""

Field = Callable[[Tensor, Tensor], Tensor]
"""(t, x) -> dx/dt, with t of shape () or (B,)."""

Progress = Callable[[int, int], None]
"""Told (steps done, steps in all) as work goes on."""


@runtime_checkable
class Schedule(Protocol):
    """t in [0, 1] -> (alpha, sigma) of x_t = alpha x + sigma R e; t = 0 is data, where alpha = 1 and sigma = 0."""

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha and sigma, each with the shape of t."""
        ...

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Drift f and squared diffusion g2 of dx = f x dt + sqrt(g2) R dw, each with the shape of t."""
        ...


class Covariance(Protocol):
    """The covariance Sig = R R' of the noise on the H x W plane of each channel, as an operator on (..., H, W)."""

    def sqrt(self, z: Tensor) -> Tensor:
        """R z: colours white noise."""
        ...

    def sqrt_t(self, z: Tensor) -> Tensor:
        """R' z."""
        ...

    def inv_sqrt(self, x: Tensor) -> Tensor:
        """R^-1 x: whitens."""
        ...

    def inv_sqrt_t(self, x: Tensor) -> Tensor:
        """R^-T x."""
        ...

    def apply(self, x: Tensor) -> Tensor:
        """Sig x."""
        ...

    def solve(self, x: Tensor) -> Tensor:
        """Sig^-1 x."""
        ...

    def logdet(self) -> Tensor | float:
        """log det Sig of one channel's plane; a tensor (C,) when the channels differ."""
        ...


class Operator(Protocol):
    """A linear measurement y = A x of images x, (B, C, H, W), and what solvers ask of it.

    Everything but `forward` and `adjoint` follows from `filtered`, a function of the singular values: A = U diag(s) V'.
    """

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        ...

    def adjoint(self, y: Tensor) -> Tensor:
        """A' y, of the shape of x."""
        ...

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """V diag(gain(s)) V' x, where s is 0 in the directions that A does not see."""
        ...

    def pinv(self, y: Tensor) -> Tensor:
        """A+ y: of all x whose A x is nearest to y, the smallest."""
        ...

    def prox(self, v: Tensor, y: Tensor, lam: float) -> Tensor:
        """The x for which lam/2 |A x - y|^2 + 1/2 |x - v|^2 is least; lam multiplies what is measured."""
        ...

    def norm(self) -> float:
        """The largest singular value of A."""
        ...


class Prior(Protocol):
    """What a model knows of clean images, as solvers of inverse problems ask for it.

    Level j = 1 .. len(sigmas) hides an image, and `restore` brings it back. Images are in [-1, 1], (B, C, H, W).

    Attributes:
        sigmas: how much noise each level stands for, as a standard deviation beside an image that is not scaled; rising.
    """

    sigmas: Sequence[float]

    def degrade(self, x: Tensor, level: int, generator: Randomness = None, *, scale: float = 1.0) -> Tensor:
        """Hide x as level j does, its noise multiplied by `scale`; the answer is not scaled either: near x for small j."""
        ...

    def restore(self, y: Tensor, level: int, generator: Randomness = None) -> Tensor:
        """Estimate the clean image of what `degrade` made; without noise having been added it denoises y at sigmas[j - 1]."""
        ...


class Move(NamedTuple):
    """A loss, and the player whose parameters it moves.

    `rate` is the share of the learning rate at which they move, and `anew` lets the optimiser forget what it has seen
    first: a model that has taken its weights back to an earlier state asks for both.
    """

    player: str
    loss: Tensor
    logs: Mapping[str, Tensor] = {}
    rate: float = 1.0
    anew: bool = False


@dataclass(frozen=True)
class Batch:
    """What a training step is given.

    Attributes:
        x: data in [-1, 1], (B, ...).
        cond: what is known of each sample, e.g. {"label": (B,)}; first axis B.
        generator: row i draws from a stream named by the step and by its place in the batch of all processes.
        step: steps taken in this stage before this one.
    """

    x: Tensor
    cond: Mapping[str, Tensor] = field(default_factory=dict)
    generator: Randomness = None
    step: int = 0

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        cond = {name: value.to(device, non_blocking=True) for name, value in self.cond.items()}
        return replace(self, x=self.x.to(device, non_blocking=True), cond=cond)


@dataclass(frozen=True)
class Stage:
    """One stretch of training: who plays, how long, and what a step is.

    `moves` reads like a paper's pseudocode. It is a generator: between two yields the trainer moves the named player,
    so the line after a yield sees the moved weights. The logs named in `shown` are worth a look as training goes, as losses
    always are.
    """

    name: str
    players: Mapping[str, nn.Module]
    steps: int
    moves: Callable[[Batch], Iterator[Move]]
    shown: tuple[str, ...] = ()

    @classmethod
    def only(
        cls,
        players: Mapping[str, nn.Module],
        steps: int | Mapping[str, int],
        moves: Callable[[Batch], Iterator[Move]],
        shown: tuple[str, ...] = (),
    ) -> "Stage":
        """The stage "train" of a model that has no other; `steps` is a number, or {"train": a number}."""
        return cls("train", players, steps if isinstance(steps, int) else steps["train"], moves, shown)


class Dataset(Protocol):
    """Data that can be fetched by index, so that the order of training is a plain function of seed and step."""

    def __len__(self) -> int: ...

    def batch(self, index: Sequence[int], generator: Randomness = None) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The samples of some indices: x (B, ...) in [-1, 1], and what is known of each, e.g. {"label": (B,)}.

        Random flips and crops draw from `generator` (one stream per row); without one there are none.
        """
        ...


class Model(Protocol):
    """How every family is trained and sampled; a model is also an nn.Module.

    One that has to know something of the data before its first step also has a method `prepare(data, generator)`, which the
    trainer calls unless it goes on from a checkpoint.
    """

    def stages(self, steps: int | Mapping[str, int]) -> Iterable[Stage]:
        """The stages of training, in order; `steps` is for the only stage, or for each stage by name."""
        ...

    def sample(
        self, n: int, *, generator: Randomness = None, progress: Progress | None = None, **options: Any
    ) -> Tensor:
        """Draw n samples, (n, ...), in [-1, 1]."""
        ...


__all__ = [
    "Batch", "Covariance", "Dataset", "Denoiser", "Energy", "Field", "Model", "Move", "Operator", "Prior", "Progress",
    "Randomness", "Schedule", "Stage", "Streams",
]  # fmt: skip
