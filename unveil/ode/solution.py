"""What a solver returns."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Solution:
    """States of an ODE at the times that were asked for.

    Attributes:
        states: (T, B, ...), one state per time, the first one the start.
        evaluations: how often the field was called.
        rejected: steps that an adaptive solver tried again with a smaller size.
    """

    states: Tensor
    evaluations: int
    rejected: int = 0

    @property
    def final(self) -> Tensor:
        """The state at the last time, (B, ...)."""
        return self.states[-1]
