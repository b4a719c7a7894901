"""Solvers that take one step from each time to the next.

Times may ascend or descend; a step always lands exactly on the next time. Times stay on the CPU, so that no step waits
for a device.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Field
from unveil.ode.solution import Solution

Step = Callable[[Field, Tensor, Tensor, Tensor], Tensor]


def check_times(times: Tensor) -> Tensor:
    """Times as float64 on the CPU, after a check that they ascend or descend strictly."""
    times = times.detach().double().cpu()
    gaps = times.diff()
    if times.ndim != 1 or len(times) < 2 or not bool((gaps > 0).all() | (gaps < 0).all()):
        raise ConfigError(
            f"An ODE is solved at two or more times in ascending or descending order, none twice; it got {times.tolist()}."
        )
    return times


def _solve(step: Step, field: Field, x: Tensor, times: Tensor, evaluations: int) -> Solution:
    times = check_times(times)
    states = [x]
    for t, s in pairwise(times):
        states.append(step(field, states[-1], t, s))
    return Solution(torch.stack(states), evaluations * (len(times) - 1))


def _euler_step(field: Field, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
    return x + (s - t) * field(t, x)


def _heun_step(field: Field, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
    slope = field(t, x)
    return x + (s - t) / 2 * (slope + field(s, x + (s - t) * slope))


def _rk4_step(field: Field, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
    h, middle = s - t, (t + s) / 2
    k1 = field(t, x)
    k2 = field(middle, x + h / 2 * k1)
    k3 = field(middle, x + h / 2 * k2)
    k4 = field(s, x + h * k3)
    return x + h / 6 * (k1 + 2 * (k2 + k3) + k4)


def euler(field: Field, x: Tensor, times: Tensor) -> Solution:
    """Solve dx/dt = field(t, x) by Euler's method: first order, one evaluation a step.

    Args:
        field: (t, x) -> dx/dt; t is a float64 scalar tensor on the CPU.
        x: the state at times[0], (B, ...).
        times: (T,), ascending or descending.

    Returns:
        The states at all times.

    Raises:
        ConfigError: times are not strictly ordered.
    """
    return _solve(_euler_step, field, x, times, 1)


def heun(field: Field, x: Tensor, times: Tensor) -> Solution:
    """Solve by Heun's method: second order, two evaluations a step. Arguments as for `euler`."""
    return _solve(_heun_step, field, x, times, 2)


def rk4(field: Field, x: Tensor, times: Tensor) -> Solution:
    """Solve by the classical Runge-Kutta method: fourth order, four evaluations a step. Arguments as for `euler`."""
    return _solve(_rk4_step, field, x, times, 4)
