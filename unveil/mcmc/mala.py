"""Langevin steps that may be refused, so that the chain draws from the energy exactly."""

import torch
from torch import Tensor

from unveil.core.errors import DivergenceError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Energy
from unveil.core.random import Randomness, rand
from unveil.core.shapes import expand_as, sum_per_sample
from unveil.mcmc.gradient import energy_gradient
from unveil.mcmc.langevin import Watch
from unveil.mcmc.step import LangevinStep
from unveil.mcmc.trace import Trace


@torch.no_grad()
def mala(
    energy: Energy,
    x: Tensor,
    *,
    steps: int,
    step_size: float,
    generator: Randomness = None,
    watch: Watch | None = None,
    trace: Trace | None = None,
) -> Tensor:
    """Propose x' = x - h/2 grad U(x) + sqrt(h) e, and take it with the probability that keeps exp(-U) as it is.

    Each sample takes or refuses its own. A proposal whose energy is infinite or not a number is refused. For a temperature
    divide the energy by it.

    Args:
        energy: U, (B, ...) -> (B,).
        x: where the chains start; its energies must be finite.
        steps: 1 or more.
        step_size: h; some 0.57 of all proposals are taken at the best one for many dimensions.

    Other arguments, and the result, are those of `langevin`.

    Raises:
        ConfigError: a number out of range.
        DivergenceError: the energy or its gradient is not finite where the chains start.
        ShapeError: an energy of the wrong shape.

    Source: Roberts and Tweedie (1996), Exponential convergence of Langevin distributions, section 1.4.
    """
    check_whole("steps", steps)
    step = LangevinStep(step_size)
    step.check(x)
    x = x.detach()
    here, slope = energy_gradient(energy, x)
    if not bool(here.isfinite().all() & slope.isfinite().all()):
        raise DivergenceError("The energy is not finite where the chains start; start them where it is.")
    for k in range(steps):
        if trace is not None:
            trace.felt(here, slope, step_size / 2)
        proposed = step.move(x, step.drift(slope), generator)
        there, slope_there = energy_gradient(energy, proposed)
        way_there = sum_per_sample((proposed - x + step_size / 2 * slope).square())
        way_back = sum_per_sample((x - proposed + step_size / 2 * slope_there).square())
        log_odds = here - there + (way_there - way_back) / (2 * step_size)
        # What is not a number compares as false, hence is refused; an energy without a floor would always be taken.
        taken = rand((len(x),), generator, dtype=x.dtype, device=x.device).log() < log_odds
        taken &= there.isfinite()
        if trace is not None:
            trace.accepted.append(taken)
        here = torch.where(taken, there, here)
        x, slope = (torch.where(expand_as(taken, x), new, old) for new, old in ((proposed, x), (slope_there, slope)))
        if watch is not None:
            watch(k + 1, steps, x)
    return x
