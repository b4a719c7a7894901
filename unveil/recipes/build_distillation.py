"""From a recipe to objects: diffusions that were taught to take few steps."""

from unveil.models.diffusion import Diffusion
from unveil.models.distillation import Distilled
from unveil.recipes.distillation import DistilledSpec


def build_distilled(spec: DistilledSpec, diffusion: Diffusion) -> Distilled:
    """Make a model that distils a diffusion."""
    return Distilled(
        diffusion,
        steps=spec.steps,
        first_steps=spec.first_steps,
        until=spec.last,
        weighting=spec.weighting,
        last_rounds=spec.last_rounds,
    )
