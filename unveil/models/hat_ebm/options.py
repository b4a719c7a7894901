"""How a Hat Diffusion EBM is trained: plain values, checked when they are given."""

from dataclasses import dataclass, fields
from math import isfinite

from unveil.core.errors import ConfigError


@dataclass(frozen=True)
class Lengths:
    """How long the stages are, as shares of stage one.

    Attributes:
        diffusion: of training the truncated diffusion.
        distil: of each round of its distillation; the last two are twice as long.
        two: of stage two; 0 leaves it out.
    """

    diffusion: float = 1.0
    distil: float = 0.2
    two: float = 0.1

    def __post_init__(self) -> None:
        if not (self.diffusion > 0 and self.distil > 0 and self.two >= 0):
            raise ConfigError(
                f"Stages last diffusion={self.diffusion}, distil={self.distil}, two={self.two} times stage one; the first two "
                "must be above 0, the last 0 or more."
            )


@dataclass(frozen=True)
class Objective:
    """What the players are asked for.

    Attributes:
        moved: b1, weight of the distance from a kept sample to its latents' kernel output.
        proposed: b2, weight of the distance to the proposal itself, which keeps it near data.
        data_noise: standard deviation of what is added to data, so that they do not lie on grey levels.
        penalty: weight of the mean squared energy; a little, such as 0.1, calms a training that runs away.
        settles: share of stage one after which its learning rates are a tenth.
    """

    moved: float = 1.0
    proposed: float = 0.02
    data_noise: float = 1e-2
    penalty: float = 0.0
    settles: float = 0.75

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not (isfinite(value) and value >= 0):
                raise ConfigError(f"{each.name} is {value}; it must be a finite number, 0 or more.")
        if not self.moved:
            raise ConfigError(
                "moved is 0, and then the generator would not learn what the kernel makes of it; 1 is usual."
            )
