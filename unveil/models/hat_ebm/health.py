"""A watch on training: what shows that an energy and its chains drift apart, told in time."""

import math
import warnings

import torch
from torch import Tensor, nn

from unveil.core.errors import DivergenceError

MEMORY = 200
"""Steps that running figures are taken over."""
LEANING, LEAPING, SHORTENED, SHRUNKEN, BEYOND, RUNAWAY = 3.0, 10.0, 0.1, 0.5, 0.1, 100.0
_REMEDY = (
    "A learning rate of the energy ten times lower, more steps a chain (model.one.steps), a smooth activation or a small "
    "model.objective.penalty such as 0.1 usually help."
)


class Health(nn.Module):
    """Judges each step of a stage by the gap mean U(data) - mean U(samples) and by what its chains felt.

    The gap of a healthy training changes its sign, and drifts are never shortened. What was seen is kept in buffers, so an
    interrupted training is judged as an uninterrupted one; of each trouble it tells once a stage.
    """

    gaps: Tensor
    drifts: Tensor
    shortened: Tensor
    counts: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("gaps", "drifts", "shortened"):
            self.register_buffer(name, torch.zeros(MEMORY, dtype=torch.float64))
        self.register_buffer("counts", torch.zeros(7, dtype=torch.int64))  # steps, leaning steps, then what was told
        self.register_buffer("spread", torch.zeros((), dtype=torch.float64))

    def begin(self) -> None:
        """Turn to a stage that begins."""
        for value in self.buffers():
            value.zero_()

    def judge(
        self, gap: float, drift: float, shortened: float, beyond: float, *, spread: float | None = None, where: str = ""
    ) -> None:
        """Take in a step.

        Args:
            gap: mean U(data) - mean U(samples).
            drift: mean length of a step's drift.
            shortened: share of drifts that were too long.
            beyond: share of the samples' pixels that lie far beyond [-1, 1].
            spread: standard deviation of the bank's pixels, where it was looked at.
            where: which step, in words.

        Raises:
            DivergenceError: a figure is not finite, or the gap is a hundred times beyond what it was.
        """
        if not all(map(math.isfinite, (gap, drift))):
            raise DivergenceError(f"Training diverged: the energy is no longer finite{where}. {_after()}")
        seen = int(self.counts[0])
        known = min(seen, MEMORY)
        if known >= MEMORY // 2:
            usual = float(self.gaps[:known].std())
            if abs(gap) > RUNAWAY * max(usual, 1e-12):
                raise DivergenceError(
                    f"Training diverged: the gap between the energies of data and samples is {gap:.3g}{where}, "
                    f"{abs(gap) / max(usual, 1e-12):.0f} times its usual size. {_after()}"
                )
            if drift > LEAPING * float(self.drifts[:known].median()):
                self._tell(2, f"a step's drift has grown to {drift:.3g}, ten times what it was{where}")
        place = seen % MEMORY
        self.gaps[place], self.drifts[place], self.shortened[place] = gap, drift, shortened
        self.counts[0] = seen + 1
        if seen + 1 >= MEMORY:
            leans = abs(float(self.gaps.mean())) > LEANING * float(self.gaps.std())
            self.counts[1] = int(self.counts[1]) + 1 if leans else 0
            if self.counts[1] >= MEMORY:
                self._tell(3, f"the energies of data and samples stay apart: their gap has one sign{where}")
            if float(self.shortened.mean()) > SHORTENED:
                self._tell(4, f"more than a tenth of the drifts are shortened{where}, which should hardly ever happen")
        if beyond > BEYOND:
            self._tell(5, f"{beyond:.0%} of the samples' pixels lie far beyond [-1, 1]{where}")
        if spread is not None:
            if not self.spread:
                self.spread.fill_(spread)
            elif spread < SHRUNKEN * float(self.spread):
                self._tell(6, f"kept samples have lost half of their variety{where}")

    def _tell(self, kind: int, what: str) -> None:
        if not self.counts[kind]:
            self.counts[kind] = 1
            warnings.warn(f"Look at this training: {what}. {_REMEDY}", stacklevel=4)


def _after() -> str:
    return (
        f"{_REMEDY} The newest checkpoint is from before; with another seed (training.seed) it may go well from there."
    )
