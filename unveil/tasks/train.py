"""Train a recipe into a run. What can be refused is refused before torch is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError, ExistsError
from unveil.data.sources import check_source
from unveil.recipes import Recipe, dump, resolve
from unveil.recipes.library import RECIPE_FILE
from unveil.tasks.images import absolute, open_data, with_found
from unveil.tasks.report import Quiet, Report, first_process
from unveil.tasks.run import Run, read_recipe
from unveil.training.disk import written_whole
from unveil.training.run_folder import RunFolder

if TYPE_CHECKING:
    from unveil.training.hooks import Hook, Moment

PICTURES = 25
"""Samples on a picture that is made as training goes."""


@dataclass(frozen=True)
class Plan:
    """A training that can begin: nothing is left to be refused that can be told without looking at the data.

    Attributes:
        recipe: all of it, but for what is found in the data.
        path: the run's folder.
        resume: whether to go on with the run that is there.
        force: whether to replace it.
    """

    recipe: Recipe
    path: Path
    resume: bool = False
    force: bool = False


def plan(
    recipe: str | Path | Recipe,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    steps: int | None = None,
    seed: int | None = None,
    overrides: Sequence[str] = (),
) -> Plan:
    """Decide what to train and where, without loading torch. Arguments and errors are those of `train`."""
    given = resolve(recipe)
    path = Path(out) if out is not None else _place(recipe, given)
    begun = resume and (path / RECIPE_FILE).is_file()
    if begun:
        first = read_recipe(path, trained=False)
        if first.name != given.name:
            raise ConfigError(f"{path} was begun with recipe {first.name}, so {given.name} cannot go on there.")
        given = first
    changes = [*overrides]
    changes += [f"training.{name}={value}" for name, value in (("steps", steps), ("seed", seed)) if value is not None]
    planned = resolve(given, changes)
    source = planned.data.source if data is None else absolute(data)
    if source is None:
        raise ConfigError(f"Recipe {planned.name} needs --data: {planned.data.needs or 'images'}.")
    check_source(source)
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise ConfigError(f"{path} cannot be made: {above.name} is a file, not a folder.")
    if not begun and not force and first_process() and path.exists() and not (path.is_dir() and _is_empty(path)):
        raise ExistsError(f"{path} exists; go on with it (--resume), replace it (--force) or name another (--out).")
    planned = planned.model_copy(update={"data": planned.data.model_copy(update={"source": source})})
    return Plan(planned, path, begun, force)


def train(
    recipe: str | Path | Recipe,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    steps: int | None = None,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    report: Report | None = None,
) -> Run:
    """Train a model and keep it, with all that belongs to it, in a folder.

    Args:
        recipe: the name of one of the package's recipes, a YAML file, the folder of another run, or a recipe.
        data: a folder, a file or the name of an embedded source; the recipe's own when None.
        out: the run's folder; runs/NAME when None.
        resume: go on with a run that was interrupted, or begin it where there is none yet.
        force: take the place of a run that is there.
        steps: of training; the recipe's when None.
        seed: of training; the recipe's when None.
        overrides: other values of the recipe to change, each "training.lr=1e-3".
        report: told of progress.

    Raises:
        ConfigError: a recipe that cannot work.
        DataError: data that is missing or damaged.
        ExistsError: something is at `out`, and neither `resume` nor `force` is given.
        RunError: the run cannot be resumed or written.
    """
    planned = plan(recipe, data=data, out=out, resume=resume, force=force, steps=steps, seed=seed, overrides=overrides)
    return carry_out(planned, report=report)


def carry_out(plan: Plan, *, report: Report | None = None) -> Run:
    """Train what was planned."""
    from unveil.recipes.build import build_model
    from unveil.training.hooks import every
    from unveil.training.trainer import fit

    images = open_data(plan.recipe, report=report or Quiet())
    recipe = with_found(plan.recipe, images)
    model: Any = build_model(recipe, images.shape, images.classes)
    folder = _folder(plan, recipe)
    hooks = [every(recipe.training.sample_every, _pictures(recipe, folder))]
    fit(model, images, recipe.training.steps, recipe.training.options(), run=folder, hooks=hooks)
    return Run(folder.path, recipe, model.requires_grad_(False))


def _folder(plan: Plan, recipe: Recipe) -> RunFolder:
    """The run's folder, with the recipe in it."""
    if not plan.resume:
        return RunFolder.create(plan.path, dump(recipe), force=plan.force)
    folder = RunFolder.open(plan.path, trained=False)
    if first_process() and resolve(folder.path) != recipe:
        with written_whole(folder.recipe) as part:
            part.write_text(dump(recipe), encoding="utf-8")
    return folder


def _place(recipe: str | Path | Recipe, resolved: Recipe) -> Path:
    """Where a run goes when nobody says: the run itself when one is given, else runs/NAME."""
    if isinstance(recipe, str | Path) and (Path(recipe) / RECIPE_FILE).is_file():
        return Path(recipe)
    return Path("runs") / resolved.name


def _is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


def _pictures(recipe: Recipe, folder: RunFolder) -> "Hook":
    """A hook that keeps a picture of samples, always the same noise, drawn with the averaged weights."""

    def draw(moment: "Moment") -> None:
        from unveil.core.random import Streams
        from unveil.data import save_images

        model: Any = moment.model
        if not moment.main or not hasattr(model, "sample"):
            return
        options: dict[str, Any] = {}
        if getattr(model, "classes", None):
            import torch

            options["label"] = torch.arange(PICTURES, device=next(model.parameters()).device) % model.classes
        with moment.averaged():
            x = model.sample(
                PICTURES,
                steps=min(recipe.sampling.steps, 50),
                sampler=recipe.sampling.sampler,
                generator=Streams(0, PICTURES),
                **options,
            )
        save_images(x, folder.samples / f"{moment.stage}-{moment.step:07d}.png", force=True)

    return draw
