"""The chains that refine: of what is added to a sample, and of its latents."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Energy
from unveil.core.random import Randomness
from unveil.mcmc import LangevinStep, Trace, joint_langevin, langevin
from unveil.mcmc.langevin import Watch


@dataclass(frozen=True)
class Chain:
    """Short Langevin runs: x <- x - c grad U(x) + eps e, with c = eps^2 / (2 tau).

    Attributes:
        steps: K in training.
        test_steps: K of samples; one and a half to two and a half times as many once training is done.
        eps: noise of a step.
        tau: the temperature; small ones make chains that nearly go straight downhill.
        longest: a drift that is longer than this is shortened to it, sample by sample. A guard: healthy chains never need it.
    """

    steps: int
    test_steps: int
    eps: float = 5e-4
    tau: float = 1e-8
    longest: float | None = 2.5

    def __post_init__(self) -> None:
        check_whole("steps", self.steps)
        check_whole("test_steps", self.test_steps)
        _check_above_zero(eps=self.eps, tau=self.tau, longest=1.0 if self.longest is None else self.longest)

    @property
    def drift(self) -> float:
        """c, what the gradient is multiplied by."""
        return self.eps**2 / (2 * self.tau)

    def move(self) -> LangevinStep:
        """One step of the chain."""
        return LangevinStep(2 * self.drift, self.eps, longest=self.longest)


@dataclass(frozen=True)
class LatentMove:
    """How latents move in stage two.

    Attributes:
        eps: noise of a step.
        tau: the temperature.
        prior: whether latents are drawn towards N(0, 1), where they begin; it hardly matters in short runs.
    """

    eps: float = 5e-3
    tau: float = 1e-6
    prior: bool = False

    def __post_init__(self) -> None:
        _check_above_zero(eps=self.eps, tau=self.tau)

    @property
    def drift(self) -> float:
        """c of the latents."""
        return self.eps**2 / (2 * self.tau)

    def move(self) -> LangevinStep:
        """One step of the latents."""
        return LangevinStep(2 * self.drift, self.eps)

    @property
    def pull(self) -> float:
        """The weight of |z|^2 / 2 in the energy with which a step's drift gets the part -eps^2 z / 2."""
        return self.eps**2 / (2 * self.drift) if self.prior else 0.0


def refine_residual(
    energy: Energy,
    base: Tensor,
    y: Tensor,
    chain: Chain,
    *,
    steps: int,
    mask: Tensor | None = None,
    generator: Randomness = None,
    watch: Watch | None = None,
    trace: Trace | None = None,
) -> Tensor:
    """Stage one: walk y in the energy of base + y; the latents, hence base, stay as they are.

    Args:
        energy: (B, ...) -> (B,).
        base: what the kernel made, (B, ...).
        y: where the residuals start, like base.
        chain: the steps.
        steps: how many.
        mask: y moves where it is above 0; elsewhere it keeps its value to the bit.
        generator: of the noise.
        watch: told of each step and the state base + y.
        trace: filled with what the chains felt.

    Returns:
        The last y.
    """
    move = chain.move()
    start = y
    project = None if mask is None else lambda moved: torch.where(mask > 0, moved, start)
    told: Watch | None = None if watch is None else lambda done, total, at: watch(done, total, base + at)
    return langevin(
        lambda y: energy(base + y),
        y,
        steps=steps,
        step_size=move.step_size,
        noise=chain.eps,
        longest=chain.longest,
        project=project,
        generator=generator,
        watch=told,
        trace=trace,
    )


def refine_both(
    energy: Energy,
    generate: Callable[[Tensor], Tensor],
    z: Tensor,
    y: Tensor,
    chain: Chain,
    latent: LatentMove,
    *,
    steps: int,
    generator: Randomness = None,
    watch: Watch | None = None,
    traces: tuple[Trace, Trace] | None = None,
) -> tuple[Tensor, Tensor]:
    """Stage two: walk the latents and the residual in turn, latents first, in the energy of generate(z) + y.

    The density is one of y and z, so no Jacobian of the generator enters.

    Args:
        energy: (B, ...) -> (B,).
        generate: latents (B, n) -> (B, ...), differentiable.
        z: where the latents start.
        y: where the residuals start.
        chain: the residual's steps.
        latent: the latents'.
        steps: how many of each.
        generator: of the noise.
        watch: told of each step and the state generate(z) + y.
        traces: filled with what latents and residuals felt.

    Returns:
        The last z and y.
    """

    def joint(z: Tensor, y: Tensor) -> Tensor:
        energies = energy(generate(z) + y)
        return energies + latent.pull / 2 * z.square().sum(1) if latent.pull else energies

    def tell(done: int, total: int, state: tuple[Tensor, ...]) -> None:
        if watch is not None:
            watch(done, total, generate(state[0]) + state[1])

    z, y = joint_langevin(
        joint,
        (z, y),
        (latent.move(), chain.move()),
        steps=steps,
        in_turn=True,
        generator=generator,
        watch=None if watch is None else tell,
        traces=traces,
    )
    return z, y


def _check_above_zero(**numbers: float) -> None:
    for name, value in numbers.items():
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{name} of a chain is {value}; it must be a finite number above 0.")
