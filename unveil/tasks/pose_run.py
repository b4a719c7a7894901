"""The model that poses bodies: a run of the user's, or the small one that comes with the library."""

from pathlib import Path
from typing import Any

from unveil.core.errors import RunError
from unveil.recipes.pose import PoseIKSpec
from unveil.tasks.run import Run, open_run, recipe_of

SHIPPED = Path(__file__).resolve().parent.parent / "trained" / "motions-ik"
"""The folder of the run that is in the package."""


def check_poser(run: Run | str | Path | None) -> None:
    """Refuse a run that poses no bodies, without loading torch.

    Raises:
        RunError: it is no run, or one of another kind.
    """
    recipe = recipe_of(SHIPPED if run is None else run)
    if not isinstance(recipe.model, PoseIKSpec):
        raise RunError(f"{run} is a {recipe.model.kind}, which poses no bodies; train one: unveil train motions-ik")


def load_poser(run: Run | str | Path | None) -> Any:
    """The `PoseIK` of a run, on the CPU, where one pose at a time is quickest.

    Raises:
        RunError: it is no run, or one of another kind.
    """
    check_poser(run)
    return open_run(SHIPPED if run is None else run, device="cpu").model
