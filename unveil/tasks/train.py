"""Train a recipe into a run. What can be refused is refused before torch is loaded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError, DataError, DivergenceError, ExistsError, RunError
from unveil.core.files import RECIPE_FILE, check_above
from unveil.data.sources import EMBEDDED, PREFIXES
from unveil.recipes import Recipe, dump, resolve
from unveil.recipes.library import names
from unveil.recipes.ode_video import ODEVideoSpec
from unveil.recipes.pose import PoseIKSpec
from unveil.recipes.video import VideoDiffusionSpec
from unveil.tasks.film import CLIPS, course, film
from unveil.tasks.images import absolute, open_data, with_found
from unveil.tasks.pose_picture import solved_beside_true
from unveil.tasks.report import Quiet, Report
from unveil.tasks.resuming import check_progress, check_unchanged
from unveil.tasks.run import Run, read_recipe
from unveil.tasks.sample import walk_of
from unveil.training.run_folder import RunFolder

if TYPE_CHECKING:
    from unveil.training.hooks import Hook, Moment
    from unveil.training.keeping import Begin
    from unveil.training.trainer import Outcome

PICTURES, POINTS = 25, 1000
"""Samples on a picture that is made as training goes."""


@dataclass(frozen=True)
class Plan:
    """A training that can begin: nothing is left to be refused that can be told without looking at the data.

    Attributes:
        recipe: all of it, but for what is found in the data.
        path: the run's folder.
        first: the recipe of the run that is there, to go on with it; None to begin one.
        force: whether to replace the run that is there.
        ready: what is done to the model before its training begins, such as giving it the weights of another run.
    """

    recipe: Recipe
    path: Path
    first: Recipe | None = None
    force: bool = False
    ready: Callable[[Any], None] | None = None


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
    dry_run: bool = False,
) -> Plan:
    """Decide what to train and where, without loading torch. Arguments and errors are those of `train`.

    With `dry_run` the place is not looked at (`check_place` does): the recipe can be seen before a place is chosen.
    """
    if resume and force:
        raise ConfigError("resume (--resume) goes on with a run and force (--force) replaces it; give one of the two.")
    named = _named_run(recipe, resume)
    given = resolve(recipe)
    path = Path(out) if out is not None else named or Path("runs") / given.name
    if resume and named is not None and path.resolve() != named.resolve():
        raise ConfigError(
            f"{named} is a run itself, and resuming goes on where a run is; to go on with {path}, name that instead of "
            f"{named}, or leave out --resume to begin another run there."
        )
    first = read_recipe(path, trained=False) if resume and (path / RECIPE_FILE).is_file() else None
    if first is not None and first.name != given.name:
        raise ConfigError(f"{path} was begun with recipe {first.name}, so {given.name} cannot go on there.")
    changes = [overrides] if isinstance(overrides, str) else [*overrides]
    changes += [f"training.{name}={value}" for name, value in (("steps", steps), ("seed", seed)) if value is not None]
    planned = resolve(first or given, changes)
    source = data if data is not None else planned.data.source
    if source is None:
        raise ConfigError(f"Recipe {planned.name} needs --data: {planned.data.needs or 'images'}.")
    if data is None and (first or named) and _is_gone(str(source)):
        raise DataError(
            f"The data of {named or path} was at {source}, where nothing is any more; say where it is now (--data)."
        )
    found = {"source": absolute(source)}
    planned = planned.model_copy(update={"data": planned.data.model_copy(update=found)})
    if first is not None:
        check_unchanged(path, first, planned)
        check_progress(path, first, planned)
    elif not dry_run:
        check_place(path, force)
    return Plan(planned, path, first, force)


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
        data: a folder, a file or the name of an embedded source; the recipe's own when None. A run goes on with the
            pictures it was begun with, wherever they are now.
        out: the run's folder; runs/NAME when None.
        resume: go on with a run that was interrupted, or begin it where there is none yet. Its own recipe is taken,
            with `overrides` of its training; the model and the size of its samples stay.
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
    return carry_out(planned, report=report)[0]


def carry_out(plan: Plan, *, report: Report | None = None) -> "tuple[Run, Outcome]":
    """Train what was planned, and tell what was done: perhaps nothing, where the run was finished already."""
    from unveil.recipes.build import build_model
    from unveil.training.hooks import every
    from unveil.training.trainer import fit

    report = report or Quiet()
    images = open_data(plan.recipe, report=report)
    recipe = with_found(plan.recipe, images)
    if plan.first is not None:
        check_unchanged(plan.path, plan.first, recipe)
    model: Any = build_model(recipe, images.shape, images.classes)
    if plan.ready is not None:
        plan.ready(model)
    for note in getattr(model, "notes", ()):
        report.say(note)
    folder = RunFolder(plan.path)
    outcome = fit(
        model,
        images,
        recipe.training.steps,
        recipe.training.options(),
        run=folder,
        anew=plan.first is None,
        begin=_begin(plan, recipe, images),
        hooks=[every(recipe.training.sample_every, _pictures(recipe, folder, images, report))],
    )
    if outcome.restored:
        report.say(f"{folder.weights} was missing or damaged, and was written again from the newest checkpoint.")
    if plan.first is not None and not outcome.steps:
        if plan.recipe != plan.first:
            report.say(f"{folder} was finished already, so nothing was trained and its recipe stays as it was.")
        recipe = plan.first
    return Run(folder.path, recipe, model.requires_grad_(False)), outcome


def _begin(plan: Plan, recipe: Recipe, images: Any) -> "Begin":
    """Make the run's folder, or bring the recipe of the one that is there up to date."""

    def begin(settings: Mapping[str, Any] | None) -> None:
        if plan.first is None:
            RunFolder.create(plan.path, dump(recipe), force=plan.force)
            return
        before, now = plan.first.data.source, recipe.data.source
        if before != now and settings and settings["data"] not in (None, images.fingerprint):
            raise RunError(
                f"{plan.path} was begun with the pictures of {before}, and those of {now} are others; "
                "go on with the same, or train another run (--out)."
            )
        if recipe != plan.first:
            RunFolder(plan.path).write_recipe(dump(recipe))

    return begin


def _named_run(recipe: str | Path | Recipe, resume: bool) -> Path | None:
    """The folder of the run that is given as a recipe; None when it is none.

    Raises:
        RunError: a run is to be resumed that is not there.
    """
    if isinstance(recipe, Recipe) or "\n" in str(recipe) or str(recipe) in names():
        return None
    path = Path(recipe)
    if resume and len(path.parts) > 1 and not path.suffix and not path.exists():
        RunFolder.open(path)
    return path if (path / RECIPE_FILE).is_file() else None


def _is_gone(source: str) -> bool:
    return source not in EMBEDDED and not source.startswith(PREFIXES) and not Path(source).expanduser().exists()


def check_place(path: Path, force: bool) -> None:
    """Refuse a place where no run can be begun.

    Args:
        path: the folder that a run would be.
        force: whether it takes the place of a run that is there.

    Raises:
        ConfigError: it would be a file, or lie in one.
        ExistsError: something is there that is not to be replaced.
    """
    check_above(path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir():
        raise ExistsError(f"{path} exists and is a file; a run is a folder, so name another place (--out).")
    if not (RunFolder(path).is_trained_here() if force else (path / RECIPE_FILE).is_file()):
        raise ExistsError(f"{path} exists and is not the folder of a run; name another place (--out).")
    if not force:
        raise ExistsError(f"{path} exists; go on with it (--resume), replace it (--force) or name another (--out).")


def _pictures(recipe: Recipe, folder: RunFolder, data: Any, report: Report) -> "Hook":
    """A hook that keeps a picture of samples, always the same noise, drawn with the averaged weights.

    Where a solver cannot draw them, that is told and training goes on: nothing that was learned is lost for a picture.
    """

    def attempt(moment: "Moment") -> None:
        try:
            draw(moment)
        except DivergenceError as error:
            report.say(f"No picture was drawn after step {moment.step} of stage {moment.stage!r}. {error}")

    def draw(moment: "Moment") -> None:
        from unveil.core.random import Streams
        from unveil.data import save_images
        from unveil.tasks.scatter import scatter

        model: Any = moment.model
        poses = isinstance(recipe.model, PoseIKSpec)
        if not moment.main or not (poses or hasattr(model, "sample")):
            return
        points = recipe.data.dimension is not None
        count = POINTS if points else PICTURES
        options = walk_of(recipe, steps=min(recipe.sampling.steps, 50))
        if getattr(model, "classes", None):
            import torch

            options["label"] = torch.arange(PICTURES, device=next(model.parameters()).device) % model.classes
        with moment.averaged():
            if isinstance(recipe.model, ODEVideoSpec | VideoDiffusionSpec):
                clips = data.batch(range(min(CLIPS, len(data))))[0]
                x = course(model, clips) if isinstance(recipe.model, ODEVideoSpec) else film(model, clips, options)
            elif poses:
                x = solved_beside_true(model, data)
            elif hasattr(model, "preview"):
                x = model.preview()
            else:
                x = model.sample(count, generator=Streams(0, count), **options)
        picture = folder.samples / f"{moment.stage}-{moment.step:07d}.png"
        save_images(scatter(x) if points else x, picture, force=True, columns=getattr(model, "preview_columns", None))

    return attempt
