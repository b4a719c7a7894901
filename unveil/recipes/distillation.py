"""What a recipe may say of diffusions that were taught to take few steps."""

from typing import Literal, Self

from pydantic import Field, model_validator

from unveil.models.halving import check_rounds, last_time
from unveil.recipes.diffusion import DiffusionSpec
from unveil.recipes.spec import Count, Positive, Spec


class DistilledSpec(Spec):
    """A diffusion after progressive distillation (`unveil.models.distillation`); `unveil distil RUN` begins one."""

    kind: Literal["distilled"]
    diffusion: DiffusionSpec
    steps: Count = Field(default=1, description="of the last student")
    first_steps: Count = Field(default=64, description="of the first teacher: steps times 2, 4, 8 and so on")
    until: Positive | None = Field(
        default=None, description="latest step of the chain that is distilled, or a time below 1; all without it"
    )
    weighting: Literal["v", "snr-trunc"] = Field(default="v", description="which error is measured")
    last_rounds: Positive = Field(default=2.0, description="how many times longer the last two rounds are")

    @property
    def labels(self) -> bool:
        """Whether it is told classes."""
        return self.diffusion.labels

    @property
    def last(self) -> float:
        """The latest time that is distilled."""
        return last_time(self.until, getattr(self.diffusion.schedule, "steps", None))

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rounds(self.first_steps, self.steps)
        assert self.last
        return self
