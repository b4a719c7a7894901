"""`unveil train`: a recipe and data become a run."""

from pathlib import Path
from typing import Annotated

import typer

from unveil.cli.console import ConsoleReport, resumable, stderr, stdout
from unveil.core.errors import ExistsError


def train(
    recipe: Annotated[str, typer.Argument(help="A name from `unveil recipes`, a YAML file, or the folder of a run.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Values of the recipe to change, e.g. training.lr=1e-4", metavar="[KEY=VALUE]..."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="A folder of pictures, a file, or the name of an embedded source.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/NAME without it.")] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps; the recipe's without it.")] = None,
    seed: Annotated[int | None, typer.Option(help="Names all that is random; the recipe's without it.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the run that is there.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the recipe as it would be trained, and stop.")
    ] = False,
) -> None:
    """Train a model; everything that belongs to it goes into one folder, its run."""
    from unveil.recipes import dump
    from unveil.tasks.next_step import next_step
    from unveil.tasks.train import carry_out, check_place, plan

    planned = plan(
        recipe,
        data=data,
        out=out,
        resume=resume,
        force=force,
        steps=steps,
        seed=seed,
        overrides=overrides or (),
        dry_run=dry_run,
    )
    path = planned.path
    if dry_run:
        stdout().print(f"# This would be trained in {path}\n{dump(planned.recipe)}", markup=False, end="")
        if planned.first is None:
            try:
                check_place(path, force)
            except ExistsError as taken:
                stderr().print(f"Note: {taken}", markup=False)
        return
    if resume and planned.first is None:
        stderr().print(f"There is no run at {path} yet, so it is begun.", markup=False)
    with resumable(path):
        run, outcome = carry_out(planned, report=ConsoleReport())
    done = (
        f"Trained in {path}." if outcome.steps else f"{path} was finished already; more --steps would train it further."
    )
    stdout().print(f"{done} {next_step(run.recipe, path)}".rstrip(), markup=False)
