"""One run of runs of flows: resolutions that several processes trained, or a finer one on top of a trained run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unveil.core.errors import ConfigError
from unveil.recipes import Recipe, dump
from unveil.recipes.multires_cnf import MultiResCNFSpec
from unveil.tasks.report import Report
from unveil.tasks.run import Run, load, read_recipe
from unveil.training.run_folder import RunFolder

SHARED = ("blocks", "hidden", "activation", "transform", "logit", "logit_alpha", "standardise", "levels", "bits")
"""What flows of one run have in common, since its recipe says it once."""


def tell_untrained(run: Run, report: Report, finest: int | None = None) -> None:
    """Tell which resolutions of a flow were never trained, such as the others of a run with `model.only`.

    Args:
        run: any run; models other than flows are fine.
        report: told of them.
        finest: how many of the finest resolutions matter; all when None.
    """
    if not isinstance(run.recipe.model, MultiResCNFSpec):
        return
    last = run.recipe.model.resolutions if finest is None else finest
    model: Any = run.model
    missing = [model.pyramid.size(place) for place in range(1, last + 1) if not bool(model.flow(place).settled)]
    if missing:
        named = " and ".join(f"{height}x{width}" for height, width in missing)
        report.say(
            f"{run.path} was never trained at {named} pixels (height x width), and draws and measures by chance there; "
            "put runs of the single resolutions together first (unveil.tasks.flow_parts.join_runs)."
        )


def join_runs(runs: Sequence[str | Path], out: str | Path, *, force: bool = False) -> Run:
    """Make one run of runs that were trained with `model.only`, one for each resolution.

    Args:
        runs: their folders, in any order.
        out: the folder of the new run.
        force: take the place of a run that is there.

    Raises:
        ConfigError: a resolution is missing or given twice, was never trained, or the runs are not alike.
        ExistsError: something is at `out`.
        RunError: a folder is no run.
    """
    recipes = [read_recipe(run) for run in runs]
    places: dict[int, Path] = {}
    for run, recipe in zip(runs, recipes, strict=True):
        only = _flow(recipe, run).only
        if only is None or only in places:
            was = "trained for all resolutions" if only is None else f"of resolution {only}, as {places[only]} is"
            raise ConfigError(f"{run} was {was}; runs that are joined were each trained with another model.only.")
        places[only] = Path(run)
        _check_alike(recipes[0], runs[0], recipe, run)

    from unveil.models.multires_cnf import joined

    model = joined({only: load(place, device="cpu").model for only, place in places.items()})
    whole = recipes[0].model.model_copy(update={"only": None})
    return _written(recipes[0].model_copy(update={"model": whole}), model, out, runs, force)


def attach_run(stack: str | Path, finer: str | Path, out: str | Path, *, force: bool = False) -> Run:
    """Make one run of a trained one, and the finest resolution of a run of pictures of twice the sides.

    Args:
        stack: the folder of the trained run.
        finer: that of the other; `model.only=1` trains no more than is needed.
        out: the folder of the new run.
        force: take the place of a run that is there.

    Raises:
        ConfigError: the two do not fit each other; the message says in what.
        ExistsError: something is at `out`.
        RunError: a folder is no run.
    """
    recipes = read_recipe(stack), read_recipe(finer)
    below = _flow(recipes[0], stack)
    _flow(recipes[1], finer)
    _check_alike(recipes[0], stack, recipes[1], finer)

    from unveil.models.multires_cnf import attach_finer

    model = attach_finer(load(stack, device="cpu").model, load(finer, device="cpu").model)
    whole = below.model_copy(update={"resolutions": below.resolutions + 1, "only": None})
    recipe = recipes[1].model_copy(update={"model": whole})
    return _written(recipe, model, out, (stack, finer), force)


def _flow(recipe: Recipe, run: str | Path) -> MultiResCNFSpec:
    if not isinstance(recipe.model, MultiResCNFSpec):
        raise ConfigError(f"{run} is a {recipe.model.kind}, and only flows of several resolutions are put together.")
    return recipe.model


def _check_alike(one: Recipe, first: str | Path, other: Recipe, second: str | Path) -> None:
    for name in SHARED:
        mine, theirs = getattr(one.model, name), getattr(other.model, name)
        if mine != theirs:
            raise ConfigError(
                f"model.{name} is {mine} in {first} and {theirs} in {second}; flows of one run have it in common."
            )


def _written(recipe: Recipe, model: Any, out: str | Path, runs: Sequence[str | Path], force: bool) -> Run:
    from unveil.training.tensor_file import write_tensors

    folder = RunFolder.create(out, dump(recipe), force=force)
    write_tensors(folder.weights, model.state_dict(), {"parts": [Path(run).name for run in runs]})
    return load(folder.path)
