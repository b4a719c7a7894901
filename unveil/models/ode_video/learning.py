"""How a model of paths learns: from which frames, and what counts how much."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_amount, check_whole
from unveil.models.ode_video.losses import Stop
from unveil.ode import Solver

Objective = Literal["reconstruct", "predict", "both"]


@dataclass(frozen=True)
class Learning:
    """What a training clip is used for.

    Attributes:
        window: frames of a training clip; the clip's length is the unit of the ODE's time.
        context: those at its beginning that are known.
        objective: "reconstruct" compares the known frames with what the path gives for them, and the rest is never seen;
            "predict" compares the rest, "both" all.
        compared: how many of these frames are compared in a step, drawn anew for each; None for all. Fewer make cheaper steps.
        horizon: steps in which these frames grow from the two next to where the path begins to all. Pictures are learnt before
            paths that way: as long as paths lead astray, they teach the decoder to blur.
        sigma: spread of a pixel around what the path gives for it; variational models.
        beta: weight of the divergence from the prior; variational models.
        warmup: steps in which that weight rises from 0.
        free_bits: nats that each number of the state may say at no cost.
        hide: share of the known frames that are not there in training; recurrent encoders.
        agreement: weight of the second of the two terms; models that are certain.
        stop: which side of the second term is not moved by it.
        autoencode: weight of a third term, frames that go through encoder and decoder without a path.
        solver: in training, with steps from one frame to the next.

    Raises:
        ConfigError: a value that cannot be.
    """

    window: int = 20
    context: int = 10
    objective: Objective = "both"
    compared: int | None = None
    horizon: int = 0
    sigma: float = 0.3
    beta: float = 1.0
    warmup: int = 0
    free_bits: float = 0.0
    hide: float = 0.0
    agreement: float = 1.0
    stop: Stop = "none"
    autoencode: float = 0.0
    solver: Solver = Solver("rk4", steps=1)

    def __post_init__(self) -> None:
        check_whole("window", self.window, 2)
        check_whole("context", self.context)
        check_whole("warmup", self.warmup, 0)
        check_whole("horizon", self.horizon, 0)
        for name in ("beta", "free_bits", "agreement", "autoencode"):
            check_amount(name, getattr(self, name))
        if self.objective not in get_args(Objective):
            raise ConfigError(f"The objective is {self.objective!r}; it can be {', '.join(get_args(Objective))}.")
        if self.stop not in get_args(Stop):
            raise ConfigError(f"stop is {self.stop!r}; it can be {', '.join(get_args(Stop))}.")
        if not (isfinite(self.sigma) and self.sigma > 0):
            raise ConfigError(f"sigma is {self.sigma}; it must be above 0. For pixels in [-1, 1], 0.3 is usual.")
        if not 0 <= self.hide < 1:
            raise ConfigError(f"hide is {self.hide}; it is a share from 0 to below 1.")
        if self.context > self.window or (self.context == self.window and self.objective == "predict"):
            raise ConfigError(
                f"{self.context} of {self.window} frames are known, which leaves none to {self.objective}; make the window "
                "longer, or the context shorter."
            )
        if self.compared is not None:
            check_whole("compared", self.compared)
            if self.compared > self.targets.stop - self.targets.start:
                raise ConfigError(
                    f"{self.compared} frames are to be compared, and to {self.objective} there are "
                    f"{self.targets.stop - self.targets.start}; give at most as many, or leave compared out for all."
                )

    @property
    def targets(self) -> slice:
        """The frames that are compared, in one step or another."""
        first = self.context if self.objective == "predict" else 0
        return slice(first, self.context if self.objective == "reconstruct" else self.window)

    @property
    def seen(self) -> int:
        """Frames of a training clip that are used."""
        return self.targets.stop

    def reach(self, step: int) -> int:
        """How many frames may be compared at a step."""
        count = self.targets.stop - self.targets.start
        return min(count, max(2, -(-count * (step + 1) // self.horizon))) if self.horizon else count

    def beta_at(self, step: int) -> float:
        """The weight of the divergence at a step."""
        return self.beta * min(1.0, (step + 1) / self.warmup) if self.warmup else self.beta
