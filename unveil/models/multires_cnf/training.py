"""How the flows of a multi-resolution model are trained: plain values, checked when they are given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_amount
from unveil.models.multires_cnf.flow import Probe
from unveil.ode import Backward, Solver

Objective = Literal["likelihood", "flow-matching"]


@dataclass(frozen=True)
class Training:
    """How flows are trained.

    Attributes:
        objective: "likelihood", or "flow-matching", which solves no ODE and wants one block a resolution.
        solver: of the ODE in training; four steps of rk4 do.
        backward: how gradients come about, see `unveil.ode.solve`.
        probe: of the trace.
        kinetic: weight of half the squared speed, which keeps paths straight.
        jacobian: weight of the squares of the Jacobian, which keep them easy to solve.
        steer: b, where the end of time is drawn from [1 - b, 1 + b]; 0 for 1 always.
        adversarial: weight of a critic's opinion of details drawn; 0 for none.
        adversarial_clip: largest norm of its gradient.
        together: train all resolutions in one stage, instead of one after another.
        only: train this resolution alone, 1 the finest; all where None.

    Raises:
        ConfigError: a value that cannot be.

    Source: Finlay et al. (2020), arXiv:2002.02798, for the two weights; Ghosh et al. (2020), arXiv:2006.10711, for b;
    Grover et al. (2018), arXiv:1705.08868, for the critic.
    """

    objective: Objective = "likelihood"
    solver: Solver = field(default_factory=lambda: Solver("rk4", steps=4))
    backward: Backward = "backprop"
    probe: Probe = "rademacher"
    kinetic: float = 0.01
    jacobian: float = 0.01
    steer: float = 0.0
    adversarial: float = 0.0
    adversarial_clip: float = 50.0
    together: bool = False
    only: int | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("objective", self.objective, get_args(Objective)),
            ("backward", self.backward, get_args(Backward)),
            ("probe", self.probe, get_args(Probe)),
        ):
            if value not in known:
                raise ConfigError(f"{name} is {value!r}; it can be {', '.join(known)}.")
        for name in ("kinetic", "jacobian", "adversarial", "adversarial_clip"):
            check_amount(name, getattr(self, name))
        if not 0 <= self.steer < 1:
            raise ConfigError(f"steer is {self.steer}; it lies from 0, for an end at 1, up to but below 1.")

    def check(self, resolutions: int, blocks: Sequence[int]) -> None:
        """Refuse what a model of so many resolutions, with so many blocks each, cannot do.

        Raises:
            ConfigError: it cannot.
        """
        if self.only is not None and not 1 <= self.only <= resolutions:
            raise ConfigError(f"only is {self.only}; this model's resolutions are 1, the finest, to {resolutions}.")
        if self.objective == "flow-matching" and max(blocks) > 1:
            raise ConfigError(f"flow-matching trains one block a resolution; this model has {max(blocks)}.")
        if self.objective == "flow-matching" and self.adversarial:
            raise ConfigError("flow-matching draws no pictures, so it has no adversarial term; set adversarial to 0.")
