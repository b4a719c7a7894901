"""How a model learns to solve poses: which effectors it is asked, on what bodies, and what counts as wrong."""

from dataclasses import dataclass
from typing import Literal, get_args

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_amount, check_whole

Loss = Literal["protores", "release"]
Bodies = Literal["drawn", "varied", "given"]


@dataclass(frozen=True)
class Learning:
    """What a training step does with poses.

    Attributes:
        loss: "protores" compares what was asked for and all that was not, before and after forward kinematics; "release"
            is what the published models of bodies were trained with, which leaves out much of it.
        least, most: effectors that are asked in a step.
        positions: at least so many of them are positions.
        spread: the largest tolerance, metres and radians.
        power: of a number from [0, 1) that the tolerance is drawn as; the higher, the rarer are large ones.
        mirror: whether half of the poses are mirrored.
        turn: whether all are turned about the vertical.
        bodies: whose poses they are: "drawn" gives each a shape and a gender of its own at every step, "varied" adds to
            the shapes that the data tells, "given" takes them as they are.

    Raises:
        ConfigError: a value cannot be.

    Source: Oreshkin et al. (2022), arXiv:2106.01981, section 3.4; Voleti et al. (2022), arXiv:2208.08274, section 4.
    """

    loss: Loss = "protores"
    least: int = 3
    most: int = 16
    positions: int = 3
    spread: float = 0.1
    power: float = 13.0
    mirror: bool = True
    turn: bool = True
    bodies: Bodies = "drawn"

    def __post_init__(self) -> None:
        for name in ("least", "most", "positions"):
            check_whole(name, getattr(self, name))
        for name in ("spread", "power"):
            check_amount(name, getattr(self, name))
        if self.least > self.most:
            raise ConfigError(f"least is {self.least} and most {self.most}; most must be {self.least} or more.")
        for name, known in (("loss", get_args(Loss)), ("bodies", get_args(Bodies))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; it can be {' or '.join(known)}.")
