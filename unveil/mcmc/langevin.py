"""Unadjusted Langevin dynamics of one variable."""

from collections.abc import Callable

import torch
from torch import Tensor

from unveil.core.errors import ShapeError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Energy
from unveil.core.random import Randomness
from unveil.mcmc.gradient import Gradient, check_finite, energy_gradient, finite_sum
from unveil.mcmc.step import LangevinStep
from unveil.mcmc.trace import Trace

Watch = Callable[[int, int, Tensor], None]
"""Told (steps done, steps in all, the state) after each step."""


@torch.no_grad()
def langevin(
    energy: Energy | None,
    x: Tensor,
    *,
    steps: int,
    step_size: float,
    noise: float | Tensor | None = None,
    bounds: tuple[float, float] | None = None,
    longest: float | None = None,
    project: Callable[[Tensor], Tensor] | None = None,
    gradient: Gradient | None = None,
    generator: Randomness = None,
    watch: Watch | None = None,
    trace: Trace | None = None,
) -> Tensor:
    """Walk `steps` times x <- clip(x - step_size/2 grad U(x) + noise e), for an energy U that is low where data is.

    Neither a graph is kept nor a parameter's gradient made, so the result is a constant. With `Streams` a sample's chain
    does not depend on which others are in its batch; one whose noise is 0 never does.

    Args:
        energy: U, (B, ...) -> (B,); None where `gradient` is given.
        x: where the chains start, (B, ...); it is not changed.
        steps: 1 or more.
        step_size: h. At noise sqrt(h) a unit Gaussian energy gives the variance 1 / (1 - h/4).
        noise: standard deviation of what is added in each step: a number, one a sample (B,), or None for sqrt(step_size).
        bounds: lowest and highest value; others are clipped.
        longest: a drift longer than this, per sample, is shortened to it.
        project: applied after every step, such as to put known pixels back.
        gradient: x -> dU/dx, taken instead of the energy's own, such as one found tile by tile.
        generator: of the noise.
        watch: told of each step.
        trace: filled with what the chains felt.

    Returns:
        The last states, like x.

    Raises:
        ConfigError: a number out of range.
        DivergenceError: an energy or a gradient is not finite.
        ShapeError: an energy or a gradient of the wrong shape.

    Source: Roberts and Tweedie (1996), Exponential convergence of Langevin distributions, section 1.4; a noise other than
    sqrt(h): Nijkamp et al. (2019), arXiv:1904.09770.
    """
    check_whole("steps", steps)
    step = LangevinStep(step_size, noise, bounds, longest)
    step.check(x)
    if energy is None and gradient is None:
        raise TypeError("langevin needs an energy, or its gradient.")
    seen = []
    x = x.detach()
    for k in range(steps):
        energies = None
        if gradient is not None:
            slope = gradient(x).detach()
            if slope.shape != x.shape:
                raise ShapeError(
                    f"The gradient of an energy has the state's shape {tuple(x.shape)}; it has {tuple(slope.shape)}."
                )
        else:
            assert energy is not None
            energies, slope = energy_gradient(energy, x)
        seen.append(finite_sum(slope, energies))
        if trace is not None:
            trace.felt(energies, slope, step.step_size / 2, longest)
        x = step.move(x, step.drift(slope), generator)
        if project is not None:
            x = project(x)
        if watch is not None:
            watch(k + 1, steps, x)
    check_finite(seen)
    return x
