"""`unveil distil`: a diffusion learns to take fewer steps."""

from pathlib import Path
from typing import Annotated

import typer

from unveil.cli.console import ConsoleReport, resumable, stdout
from unveil.cli.options import RunArgument


def distil(
    run: RunArgument,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Values of the new run's recipe, e.g. training.lr=1e-4", metavar="[KEY=VALUE]..."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps that the new run takes.")] = 1,
    until: Annotated[
        float | None,
        typer.Option(help="Distil the chain up to this step alone, such as 256 of 1000, or a time below 1."),
    ] = None,
    first_steps: Annotated[
        int | None,
        typer.Option(help="Steps of the first teacher: --steps times 2, 4, 8, ...; a quarter of its chain without it."),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Pictures to learn with; those of the run without it.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder of the new run; beside the other without it.")] = None,
    round_steps: Annotated[
        int | None,
        typer.Option(help="Training steps of each halving, twice as many of the last two; a twentieth of the run's."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Names all that is random; the run's without it.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a distillation that was interrupted.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the run that is there.")] = False,
) -> None:
    """Teach a diffusion to take fewer steps, by halving them again and again; the result is a run of its own."""
    from unveil.tasks.distil import plan
    from unveil.tasks.next_step import next_step
    from unveil.tasks.train import carry_out

    planned = plan(
        run, steps=steps, until=until, first_steps=first_steps, data=data, out=out, round_steps=round_steps, seed=seed,
        resume=resume, force=force, overrides=overrides or (),
    )  # fmt: skip
    with resumable(planned.path):
        made, outcome = carry_out(planned, report=ConsoleReport())
    done = f"Distilled in {planned.path}." if outcome.steps else f"{planned.path} was finished already."
    stdout().print(f"{done} {next_step(made.recipe, planned.path)}", markup=False)
