"""Solvers that choose the size of their steps by a tolerance, for every sample by itself.

A step size shared by the batch makes a sample depend on its batch mates. Here each sample has its own time, step and
verdict, and waits for the others when it has arrived.

Source: Dormand and Prince (1980); Bogacki and Shampine (1989); step control after Hairer, Norsett and Wanner (1993),
Solving ODEs I, section II.4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as attribute
from math import isfinite

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DivergenceError
from unveil.core.protocols import Field
from unveil.core.shapes import expand_as, mean_per_sample
from unveil.ode.fixed import check_times
from unveil.ode.solution import Leg, Path, Solution, bump_of
from unveil.ode.tableau import BOSH3, DOPRI5, Tableau, attempt, combine

Norm = Callable[[Tensor], Tensor]
"""The size of an error that was divided by what is allowed, (B, ...) -> (B,): a step with more than 1 is tried again."""


def rms(error: Tensor) -> Tensor:
    """The root of the mean square of each sample, (B,)."""
    return mean_per_sample(error.square()).sqrt()


def _not_finite(at: float) -> DivergenceError:
    return DivergenceError(f"The state of the ODE stopped being finite near t = {at:.5g}; is the field finite there?")


@dataclass
class _Journey:
    """What lasts from one time to the next; times, steps and verdicts are (B,), or (1,) where all samples go together."""

    tableau: Tableau
    field: Field
    rtol: float
    atol: float
    norm: Norm
    together: bool
    budget: int
    keep: bool
    dense: bool
    sign: float
    evaluations: int = 0
    rejected: int = 0
    accepted: int = 0
    legs: list[Leg] = attribute(default_factory=list)

    def size(self, error: Tensor) -> Tensor:
        """Norms of the samples, or one of the batch, float64 on the CPU."""
        norms = self.norm(error).double().cpu()
        return norms.square().mean().sqrt()[None] if self.together else norms

    def lost(self, at: float, *states: Tensor) -> DivergenceError:
        """What is said of an error that is no number: because of the states, or of tolerances too small to divide by."""
        tight = max(self.rtol, self.atol) < torch.finfo(states[0].dtype).eps
        if tight and all(bool(state.isfinite().all()) for state in states):
            kind = str(states[0].dtype).removeprefix("torch.")
            return DivergenceError(
                f"Tolerances of rtol={self.rtol:g} and atol={self.atol:g} are too small for {kind}: errors divided by them "
                "overflow; loosen them."
            )
        return _not_finite(at)

    def first_step(self, slope: Tensor, x: Tensor, t: Tensor, span: float) -> Tensor:
        """A step whose error should be well below what is allowed, from how fast the slope changes."""
        with torch.no_grad():
            scale = self.atol + self.rtol * x.abs()
            size, speed = self.size(x / scale), self.size(slope / scale)
            if not isfinite(float((size + speed).sum())):
                raise self.lost(float(t[0]), x, slope)
            still = (size <= 1e-5) | (speed <= 1e-5)
            short = torch.where(still, 1e-3 * span, 0.01 * size / speed).clamp(1e-3 * span, span)
            h = self.sign * short
            at = t.expand(len(x)) + h.expand(len(x))
            there = self.field(at, x + expand_as(h.to(x), x) * slope)
            self.evaluations += 1
            turn = self.size((there - slope) / scale) / short
        steepest = torch.maximum(turn, 1e-3 * speed).clamp(min=1e-12)
        best = (1 / steepest) ** (1 / self.tableau.order)
        return torch.where(best.isfinite(), best, short).clamp(max=span)

    def advance(self, x: Tensor, slope: Tensor, t: Tensor, target: float, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Carry every sample to `target`: the new states, slopes and step sizes.

        Samples that have arrived stay in the batch with steps of length 0, so that a field may know its samples by row.
        """
        n, tableau = len(x), self.tableau
        arrived = torch.zeros(len(t), dtype=torch.bool)
        cost, power = tableau.evaluations, -1 / tableau.order
        assert tableau.error is not None
        # Where errors are mere rounding, a bolder factor would follow the rounding.
        rounding = 4 * torch.finfo(x.dtype).eps / max(self.rtol, self.atol)
        most = min(max(0.9 * rounding**power, 2.0), 5.0)
        # A step becomes 0.9 ratio^power times as long, between a fifth and `most` times.
        least_ratio, largest_ratio = ((0.9 / factor) ** tableau.order for factor in (most, 0.2))
        farther = torch.maximum if self.sign > 0 else torch.minimum
        size = x.detach().abs()
        going = len(t)
        while going:
            if self.evaluations + cost > self.budget:
                raise DivergenceError(
                    f"The ODE solver spent its budget at t = {float(t[~arrived][0]):.5g} on the way to {target:.5g} with "
                    f"{going} samples to go; raise max_evaluations={self.budget}, loosen rtol={self.rtol:g} and "
                    f"atol={self.atol:g}, or take a solver of fixed steps."
                )
            left = target - t
            # Where two steps will do, they are of one size: a long one and a crumb would cost as much and err more.
            count = left / h
            last, short = count <= 1 + 1e-12, count <= 2 + 1e-12
            step = torch.where(last, left, torch.where(short, left / 2, h))
            arrival = torch.where(last, target, t + step)
            wide: float | Tensor = float(step) if self.together else expand_as(step.to(x), x)
            begin, far, there = (each.expand(n) for each in (t, step, arrival)) if self.together else (t, step, arrival)
            end, slopes = attempt(tableau, self.field, x, begin, far, there, wide, slope)
            slopes.append(self.field(there, end))
            self.evaluations += cost
            with torch.no_grad():
                error, size_after = combine(None, wide, slopes, tableau.error), end.abs()
                ratio = self.size(error / torch.maximum(size, size_after).mul_(self.rtol).add_(self.atol))
            worst = float(ratio.max())
            if not isfinite(worst):
                raise self.lost(float(t[~ratio.isfinite()][0]), end, slopes[-1])
            accepted = None if worst <= 1 else ratio <= 1
            short = short if accepted is None else short & accepted
            proposal = (ratio.clamp(least_ratio, largest_ratio) ** power).mul_(0.9).mul_(step)
            # A step cut short to land on a time says little about the next one: keep the longer of the two.
            h = torch.where(short, farther(h, proposal), proposal)
            if self.keep or self.dense:
                ends = (slopes[0], slopes[-1], bump_of(tableau, slopes)) if self.dense else None
                self.legs.append(Leg(t, step, arrival, accepted, x, end, ends))
            if accepted is None:
                self.accepted += going
                x, slope, size, t, arrived = end, slopes[-1], size_after, arrival, last
            else:
                moved = int((accepted & ~arrived).sum())
                self.accepted, self.rejected = self.accepted + moved, self.rejected + going - moved
                rows = expand_as(accepted.to(x.device), x)
                x, slope = torch.where(rows, end, x), torch.where(rows, slopes[-1], slope)
                size, t = x.detach().abs(), torch.where(accepted, arrival, t)
                arrived = arrived | (accepted & last)
                if bool((h.abs() < 1e-14 * (1 + t.abs())).any()):
                    raise DivergenceError(
                        f"The ODE solver's step shrank to nothing near t = {float(t[~accepted][0]):.5g}: the field is too "
                        f"steep there; loosen rtol={self.rtol:g} and atol={self.atol:g}, or take a solver of fixed steps."
                    )
            going = len(t) - int(arrived.sum())
        return x, slope, h


def roam(
    tableau: Tableau,
    field: Field,
    x: Tensor,
    times: Tensor,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    max_evaluations: int = 10_000,
    norm: Norm = rms,
    together: bool = False,
    dense: bool = False,
    keep: bool = False,
) -> tuple[Solution, list[list[Leg]]]:
    """Solve by a method that judges its own error; arguments as for `dopri5`.

    Returns:
        The solution, and with `keep` or `dense` the steps that led to each time but the first.
    """
    times = check_times(times)
    if not (rtol > 0 and atol > 0):
        raise ConfigError(f"Tolerances are above zero; these are rtol={rtol} and atol={atol}.")
    if len(x) == 0:
        return Solution(x.expand(len(times), *x.shape), 0), []
    sign = 1.0 if times[1] > times[0] else -1.0
    trip = _Journey(tableau, field, rtol, atol, norm, together, max_evaluations, keep, dense, sign)
    states, legs = [x], []
    slope = field(times[0].expand(len(x)), x)
    trip.evaluations = 1
    lanes = 1 if together else len(x)
    h = sign * trip.first_step(slope, x, times[:1], float((times[-1] - times[0]).abs()))
    t = times[0].expand(lanes).clone()
    for target in times[1:]:
        x, slope, h = trip.advance(x, slope, t, float(target), h)
        t = target.expand(lanes).clone()
        states.append(x)
        legs.append(trip.legs)
        trip.legs = []
    path = Path([leg for part in legs for leg in part], float(times[0]), float(times[-1])) if dense else None
    return Solution(torch.stack(states), trip.evaluations, trip.rejected, trip.accepted, path), legs


def dopri5(
    field: Field,
    x: Tensor,
    times: Tensor,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    max_evaluations: int = 10_000,
    norm: Norm = rms,
    together: bool = False,
    dense: bool = False,
) -> Solution:
    """Solve dx/dt = field(t, x) to a tolerance by Dormand and Prince's method of the fifth order.

    Every time asked for is landed on exactly.

    Args:
        field: (t, x) -> dx/dt for any number of samples; t is (B,), float64, on the CPU, one time a sample. Samples must
            not influence one another, unless they go `together`.
        x: the state at times[0], (B, ...).
        times: (T,), ascending or descending.
        rtol: error allowed in a step, relative to the state.
        atol: error allowed in a step, absolute.
        max_evaluations: after so many calls of the field the solver gives up.
        norm: how the errors of a sample's numbers become one number.
        together: one step size for the whole batch: somewhat faster, but a sample then depends on its batch mates.
        dense: keep the path between the times too.

    Returns:
        The states at all times.

    Raises:
        ConfigError: times are not strictly ordered, or a tolerance is not above zero.
        DivergenceError: the budget is spent, or the state is no longer finite; the message says where.
    """
    return roam(
        DOPRI5,
        field,
        x,
        times,
        rtol=rtol,
        atol=atol,
        max_evaluations=max_evaluations,
        norm=norm,
        together=together,
        dense=dense,
    )[0]


def bosh3(
    field: Field,
    x: Tensor,
    times: Tensor,
    *,
    rtol: float = 1e-3,
    atol: float = 1e-3,
    max_evaluations: int = 10_000,
    norm: Norm = rms,
    together: bool = False,
    dense: bool = False,
) -> Solution:
    """Solve to a tolerance by Bogacki and Shampine's method of the third order, for loose ones. See `dopri5`."""
    return roam(
        BOSH3,
        field,
        x,
        times,
        rtol=rtol,
        atol=atol,
        max_evaluations=max_evaluations,
        norm=norm,
        together=together,
        dense=dense,
    )[0]
