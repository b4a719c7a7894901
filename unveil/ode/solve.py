"""One way to ask for any solver: a value that says how, and a function that does it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Field
from unveil.ode.adaptive import Norm, rms, roam
from unveil.ode.backward import by_adjoint, checkpointed
from unveil.ode.fixed import check_times, walk
from unveil.ode.solution import Leg, Solution
from unveil.ode.tableau import BOSH3, DOPRI5, EULER, HEUN, MIDPOINT, RK4, Tableau

Method = Literal["euler", "midpoint", "heun", "rk4", "bosh3", "dopri5"]
Backward = Literal["backprop", "checkpoint", "adjoint"]

_TABLEAUX: dict[str, Tableau] = {
    "euler": EULER,
    "midpoint": MIDPOINT,
    "heun": HEUN,
    "rk4": RK4,
    "bosh3": BOSH3,
    "dopri5": DOPRI5,
}


@dataclass(frozen=True)
class Solver:
    """How an ODE is solved.

    Attributes:
        method: "euler", "midpoint", "heun" or "rk4" with steps of one size; "bosh3" or "dopri5" with steps chosen by a
            tolerance.
        steps: from one time to the next, for the first four.
        rtol: error allowed in a step, relative to the state, for the last two.
        atol: the same, absolute.
        max_evaluations: of the field, after which the last two give up.
        together: whether the last two take steps of one size for the whole batch.

    Raises:
        ConfigError: a value that cannot be.
    """

    method: Method = "dopri5"
    steps: int = 4
    rtol: float = 1e-5
    atol: float = 1e-5
    max_evaluations: int = 10_000
    together: bool = False

    def __post_init__(self) -> None:
        if self.method not in _TABLEAUX:
            raise ConfigError(f"There is no ODE method {self.method!r}; take one of {', '.join(get_args(Method))}.")
        check_whole("steps", self.steps)
        check_whole("max_evaluations", self.max_evaluations)
        for name in ("rtol", "atol"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; a tolerance is a number above 0, such as 1e-5.")

    @property
    def adaptive(self) -> bool:
        """Whether the steps are chosen by a tolerance."""
        return _TABLEAUX[self.method].error is not None

    def run(
        self, field: Field, x: Tensor, times: Tensor, *, norm: Norm = rms, together: bool | None = None, **keep: Any
    ) -> tuple[Solution, list[list[Leg]]]:
        """Solve, and give the steps too where `keep` or `dense` asks for them."""
        tableau = _TABLEAUX[self.method]
        if not self.adaptive:
            return walk(tableau, field, x, times, steps=self.steps, **keep)
        return roam(
            tableau,
            field,
            x,
            times,
            rtol=self.rtol,
            atol=self.atol,
            max_evaluations=self.max_evaluations,
            norm=norm,
            together=self.together if together is None else together,
            **keep,
        )


def solve(
    field: Field,
    x: Tensor,
    times: Tensor,
    solver: Solver = Solver(),
    *,
    backward: Backward = "backprop",
    parameters: Iterable[Tensor] = (),
    norm: Norm = rms,
    dense: bool = False,
) -> Solution:
    """Solve dx/dt = field(t, x) and give the states at some times; gradients flow to x and to what the field is made of.

    Args:
        field: (t, x) -> dx/dt; t is a float64 tensor on the CPU, () or (B,).
        x: the state at times[0], (B, ...).
        times: (T,), ascending or descending; each is landed on exactly.
        solver: the method and its steps or tolerance.
        backward: how gradients come about: "backprop" keeps everything that every step computes, "checkpoint" only the
            states between steps, "adjoint" only those at the times. Times get no gradient.
        parameters: all tensors besides x that gradients flow to; "checkpoint" and "adjoint" know no others.
        norm: how the errors of a sample's numbers become one number, for solvers with a tolerance.
        dense: keep the path between the times; not with "checkpoint" or "adjoint" where gradients are recorded.

    Raises:
        ConfigError: times are not strictly ordered, a word is unknown, or "adjoint" is given no parameters.
        DivergenceError: the budget is spent, or the state is no longer finite.

    Source: Chen et al. (2018), arXiv:1806.07366, for the adjoint.
    """
    if backward not in get_args(Backward):
        raise ConfigError(f"backward is {backward!r}; it can be backprop, checkpoint or adjoint.")
    wanted = tuple(parameters)
    times = check_times(times)
    run = partial(solver.run, norm=norm)
    recorded = torch.is_grad_enabled() and any(value.requires_grad for value in (x, *wanted))
    if backward == "backprop" or not recorded or len(x) == 0:
        return run(field, x, times, dense=dense)[0]
    if dense:
        raise ConfigError(
            "The path between the times is kept with backward='backprop' alone; take that, or no gradient."
        )
    if backward == "checkpoint":
        return checkpointed(run, _TABLEAUX[solver.method], field, x, times, wanted)
    if not any(value.requires_grad for value in wanted):
        raise ConfigError(
            "The adjoint needs the parameters that gradients flow to: give them (parameters=net.parameters()), or take "
            "backward='backprop'."
        )

    def back(joint: Field, start: Tensor, span: Tensor, sizes: Norm) -> tuple[Solution, list[list[Leg]]]:
        return solver.run(joint, start, span, norm=sizes, together=True)

    return by_adjoint(run, back, field, x, times, wanted)
