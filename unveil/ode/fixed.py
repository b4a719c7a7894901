"""Solvers that take the same number of steps from each time to the next.

Times may ascend or descend; a step always lands exactly on the next time. Times stay on the CPU, so that no step waits
for a device.
"""

from itertools import pairwise

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Field
from unveil.ode.solution import Leg, Path, Solution
from unveil.ode.tableau import EULER, HEUN, MIDPOINT, RK4, Tableau, attempt


def check_times(times: Tensor) -> Tensor:
    """Times as float64 on the CPU, after a check that they ascend or descend strictly."""
    times = times.detach().double().cpu()
    gaps = times.diff()
    ordered = times.ndim == 1 and len(times) > 1 and bool((gaps > 0).all() | (gaps < 0).all())
    if not (ordered and bool(times.isfinite().all())):
        raise ConfigError(
            "An ODE is solved at two or more finite times in ascending or descending order, none twice; it got "
            f"{times.tolist()}."
        )
    return times


def walk(
    tableau: Tableau, field: Field, x: Tensor, times: Tensor, *, steps: int = 1, dense: bool = False, keep: bool = False
) -> tuple[Solution, list[list[Leg]]]:
    """Solve by a method with `steps` steps of one size between two times.

    Returns:
        The solution, and with `keep` or `dense` the steps that led to each time but the first.
    """
    times = check_times(times)
    check_whole("steps", steps)
    states: list[Tensor] = [x]
    legs: list[list[Leg]] = []
    evaluations, slope = 0, None
    for t, s in pairwise(times):
        begin, gap = float(t), float(s - t)
        marks = [t, *(torch.tensor(begin + gap * i / steps, dtype=torch.float64) for i in range(1, steps)), s]
        legs.append([])
        for a, b in pairwise(marks):
            step = b - a
            end, slopes = attempt(tableau, field, x, a, step, b, float(step), slope)
            evaluations += tableau.evaluations - (slope is not None)
            if dense:
                slope = field(b, end)
                evaluations += 1
            if dense or keep:
                ends = (slopes[0], slope, None) if slope is not None else None
                legs[-1].append(Leg(a[None], step[None], b[None], None, x, end, ends))
            x = end
        states.append(x)
    path = Path([leg for part in legs for leg in part], float(times[0]), float(times[-1])) if dense else None
    return Solution(torch.stack(states), evaluations, 0, steps * (len(times) - 1), path), legs


def euler(field: Field, x: Tensor, times: Tensor, *, steps: int = 1, dense: bool = False) -> Solution:
    """Solve dx/dt = field(t, x) by Euler's method: first order, one evaluation a step.

    Args:
        field: (t, x) -> dx/dt; t is a float64 scalar tensor on the CPU.
        x: the state at times[0], (B, ...).
        times: (T,), ascending or descending.
        steps: from one time to the next.
        dense: keep the path between the times too, which costs one evaluation more.

    Returns:
        The states at all times.

    Raises:
        ConfigError: times are not strictly ordered.
    """
    return walk(EULER, field, x, times, steps=steps, dense=dense)[0]


def midpoint(field: Field, x: Tensor, times: Tensor, *, steps: int = 1, dense: bool = False) -> Solution:
    """Solve by the midpoint method: second order, two evaluations a step. Arguments as for `euler`."""
    return walk(MIDPOINT, field, x, times, steps=steps, dense=dense)[0]


def heun(field: Field, x: Tensor, times: Tensor, *, steps: int = 1, dense: bool = False) -> Solution:
    """Solve by Heun's method: second order, two evaluations a step. Arguments as for `euler`."""
    return walk(HEUN, field, x, times, steps=steps, dense=dense)[0]


def rk4(field: Field, x: Tensor, times: Tensor, *, steps: int = 1, dense: bool = False) -> Solution:
    """Solve by the classical Runge-Kutta method: fourth order, four evaluations a step. Arguments as for `euler`."""
    return walk(RK4, field, x, times, steps=steps, dense=dense)[0]
