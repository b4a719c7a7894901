"""What a solver returns: states at the times that were asked for, and where it was in between."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.protocols import Field
from unveil.core.shapes import expand_as
from unveil.ode.tableau import Tableau, attempt, combine


@dataclass(frozen=True, eq=False)
class Leg:
    """One step that was taken.

    Attributes:
        t: where it began, (B,), or (1,) for all samples alike; float64, on the CPU.
        step: how far it went, of the same shape.
        arrival: where it ended.
        moves: which samples took it, of the same shape; None where all did.
        x: the states where it began, (B, ...).
        end: the states where it ended.
        slopes: of the field at both ends, and the bump between; None where nobody will ask for a state in between.
    """

    t: Tensor
    step: Tensor
    arrival: Tensor
    moves: Tensor | None
    x: Tensor
    end: Tensor
    slopes: tuple[Tensor, Tensor, Tensor | None] | None = None

    def again(self, tableau: Tableau, field: Field, x: Tensor) -> Tensor:
        """Take the step once more, from states x."""
        n = len(x)
        h = float(self.step) if len(self.step) == 1 else expand_as(self.step.to(x), x)
        end, _ = attempt(tableau, field, x, self.t.expand(n), self.step.expand(n), self.arrival.expand(n), h)
        return end if self.moves is None else torch.where(expand_as(self.moves.to(x.device), x), end, x)

    def at(self, t: float) -> tuple[Tensor, Tensor]:
        """The states at a time, and for which samples the time lies in this step, (B,) or (1,)."""
        assert self.slopes is not None
        share = (t - self.t) / self.step
        here = (share > -1e-9) & (share < 1 + 1e-9)
        here = here if self.moves is None else here & self.moves
        s = expand_as(share.clamp(0, 1).to(self.x), self.x)
        h = expand_as(self.step.to(self.x), self.x)
        first, last, bump = self.slopes
        rise = self.end - self.x
        lean = h * first - rise
        inner = lean + s * (rise - h * last - lean)
        if bump is not None:
            inner = inner + s * (1 - s) * h * bump
        return self.x + s * (rise + (1 - s) * inner), here


def bump_of(tableau: Tableau, slopes: list[Tensor]) -> Tensor | None:
    """What a cubic between the ends of a step lacks, for methods that are better than that."""
    return None if tableau.bump is None else combine(None, 1.0, slopes, tableau.bump)


@dataclass(frozen=True, eq=False)
class Path:
    """A solution at every time between the first and the last: as exact as the steps, or nearly so.

    Between the ends of a step lies the cubic that has the field's slopes there, and for "dopri5" a polynomial of the
    fourth order; never a straight line.
    """

    legs: Sequence[Leg] = field(repr=False)
    first: float
    last: float

    def at(self, times: Tensor | Sequence[float]) -> Tensor:
        """The states at some times in any order, (T, B, ...).

        Raises:
            ConfigError: a time lies beyond the ends.
        """
        low, high = sorted((self.first, self.last))
        ends = [torch.cat([leg.t, leg.arrival]) for leg in self.legs]
        reach = [(float(both.min()) - 1e-8, float(both.max()) + 1e-8) for both in ends]
        found = []
        for t in torch.as_tensor(times, dtype=torch.float64).flatten().tolist():
            if not low - 1e-9 <= t <= high + 1e-9:
                raise ConfigError(f"The path runs from {self.first:g} to {self.last:g}; it was asked for time {t:g}.")
            x = self.legs[0].x
            for leg, (begin, end) in zip(self.legs, reach, strict=True):
                if begin <= t <= end:  # a long path has many steps, and a time lies in few
                    state, here = leg.at(t)
                    x = torch.where(expand_as(here.to(x.device), x), state, x)
            found.append(x)
        return torch.stack(found)


@dataclass(frozen=True)
class Solution:
    """States of an ODE at the times that were asked for.

    Attributes:
        states: (T, B, ...), one state per time, the first one the start.
        evaluations: how often the field was called.
        rejected: steps that an adaptive solver tried again with a smaller size, over all samples.
        accepted: steps that were taken, over all samples that chose their own.
        path: the states in between, where they were asked for.
    """

    states: Tensor
    evaluations: int
    rejected: int = 0
    accepted: int = 0
    path: Path | None = None

    @property
    def final(self) -> Tensor:
        """The state at the last time, (B, ...)."""
        return self.states[-1]
