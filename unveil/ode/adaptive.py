"""Dormand and Prince's method with a step size of its own for every sample of the batch.

A step size shared by the batch makes a sample depend on its batch mates. Here each sample has its own time, step and
verdict, and waits for the others when it has arrived.

Source: Dormand and Prince (1980); step control after Hairer, Norsett and Wanner (1993), Solving ODEs I, section II.4.
"""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DivergenceError
from unveil.core.protocols import Field
from unveil.core.shapes import expand_as, mean_per_sample
from unveil.ode.fixed import check_times
from unveil.ode.solution import Solution

_NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0)
_STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
)
_FIFTH = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
# Fifth-order weights less fourth-order ones, the seventh stage being the next step's first.
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)


def _combine(x: Tensor, h: Tensor, slopes: list[Tensor], weights: tuple[float, ...]) -> Tensor:
    total = weights[0] * slopes[0]
    for weight, slope in zip(weights[1:], slopes[1:], strict=False):
        if weight:
            total = total + weight * slope
    return x + h * total


def dopri5(
    field: Field, x: Tensor, times: Tensor, *, rtol: float = 1e-5, atol: float = 1e-5, max_evaluations: int = 10_000
) -> Solution:
    """Solve dx/dt = field(t, x) to a tolerance, landing exactly on every time asked for.

    Args:
        field: (t, x) -> dx/dt for any number of samples; t is (B,), float64, on the CPU, one time a sample. Samples must
            not influence one another.
        x: the state at times[0], (B, ...).
        times: (T,), ascending or descending.
        rtol: error allowed in a step, relative to the state.
        atol: error allowed in a step, absolute.
        max_evaluations: after so many calls of the field the solver gives up.

    Returns:
        The states at all times.

    Raises:
        ConfigError: times are not strictly ordered, or a tolerance is not above zero.
        DivergenceError: the budget is spent, or the state is no longer finite; the message says where.
    """
    times = check_times(times)
    if rtol <= 0 or atol <= 0:
        raise ConfigError(f"Tolerances are above zero; these are rtol={rtol} and atol={atol}.")
    if len(x) == 0:
        return Solution(x.expand(len(times), *x.shape), 0)
    sign = 1.0 if times[1] > times[0] else -1.0
    states = [x]
    t = times[0].expand(len(x)).clone()
    slope = field(t, x)
    h = sign * _first_step(slope, x, float((times[-1] - times[0]).abs()), rtol, atol)
    evaluations, rejected = 1, 0
    for target in times[1:]:
        x, slope, h, used, again = _advance(
            field, x, slope, t, float(target), h, sign, rtol, atol, max_evaluations - evaluations
        )
        t = target.expand(len(x)).clone()
        evaluations, rejected = evaluations + used, rejected + again
        states.append(x)
    return Solution(torch.stack(states), evaluations, rejected)


def _first_step(slope: Tensor, x: Tensor, span: float, rtol: float, atol: float) -> Tensor:
    """A step over which the state would move by a hundredth of its scale, (B,), float64 on the CPU."""
    scale = atol + rtol * x.abs()
    size = mean_per_sample((x / scale) ** 2).sqrt().double().cpu()
    speed = mean_per_sample((slope / scale) ** 2).sqrt().double().cpu()
    guess = torch.where((size > 1e-5) & (speed > 1e-5), 0.01 * size / speed, 1e-3 * span)
    return guess.clamp(max=span)


def _advance(
    field: Field,
    x: Tensor,
    slope: Tensor,
    t: Tensor,
    target: float,
    h: Tensor,
    sign: float,
    rtol: float,
    atol: float,
    budget: int,
) -> tuple[Tensor, Tensor, Tensor, int, int]:
    """Carry every sample to `target`: the new states, slopes and step sizes, evaluations used and steps rejected.

    Samples that have arrived stay in the batch with steps of length 0, so that a field may know its samples by row.
    """
    on_way = torch.ones(len(x), dtype=torch.bool)
    evaluations = rejected = 0
    while bool(on_way.any()):
        if evaluations + 6 > budget:
            raise DivergenceError(
                f"The ODE solver spent its budget at t = {float(t[on_way][0]):.5g} on the way to {target:.5g} with "
                f"{int(on_way.sum())} samples to go; raise max_evaluations, or loosen rtol={rtol:g} and atol={atol:g}."
            )
        left = target - t
        last = sign * h >= sign * left - 1e-12 * abs(target)
        step = torch.where(last, left, h)
        step_x = expand_as(step.to(x), x)
        slopes = [slope]
        for node, weights in zip(_NODES, _STAGES, strict=True):
            slopes.append(field(t + node * step, _combine(x, step_x, slopes, weights)))
        end = _combine(x, step_x, slopes, _FIFTH)
        arrival = torch.where(last, target, t + step)
        slopes.append(field(arrival, end))
        evaluations += 6
        error = _combine(torch.zeros_like(end), step_x, slopes, _ERROR)
        scale = atol + rtol * torch.maximum(x.abs(), end.abs())
        ratio = mean_per_sample((error / scale) ** 2).sqrt().double().cpu()
        if not bool(ratio.isfinite().all()):
            at = float(t[~ratio.isfinite()][0])
            raise DivergenceError(
                f"The state of the ODE stopped being finite near t = {at:.5g}; is the field finite there?"
            )
        accepted = ratio <= 1
        rejected += int((~accepted & on_way).sum())
        # At most twofold growth: where errors are mere rounding, a bolder factor would follow the rounding.
        factor = (0.9 * ratio.clamp(min=1e-10) ** -0.2).clamp(0.2, 2.0)
        proposal = step * torch.where(accepted, factor, factor.clamp(max=1.0))
        # A step cut short to land on a time says little about the next one: keep the longer of the two.
        proposal = torch.where(accepted & last & (proposal.abs() < h.abs()), h, proposal)
        h = torch.where(on_way, proposal, h)
        if bool((h.abs() < 1e-14 * (1 + t.abs())).any()):
            raise DivergenceError(
                f"The ODE solver's step shrank to nothing near t = {float(t[on_way][0]):.5g}; "
                f"loosen rtol={rtol:g} and atol={atol:g}."
            )
        moves = accepted & on_way
        if bool(moves.all()):
            x, slope, t = end, slopes[-1], arrival
        else:
            rows = expand_as(moves.to(x.device), x)
            x, slope = torch.where(rows, end, x), torch.where(rows, slopes[-1], slope)
            t = torch.where(moves, arrival, t)
        on_way = on_way & ~(moves & last)
    return x, slope, h, evaluations, rejected
