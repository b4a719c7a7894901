"""`unveil sample`: pictures from a run."""

from pathlib import Path
from typing import Annotated

import typer

from unveil.cli.console import ConsoleReport, stdout
from unveil.cli.options import Batch, Force, RunArgument, SamplerName, Seed, Steps, check_new, numbers
from unveil.core.errors import ConfigError
from unveil.tasks.report import first_process


def sample(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="A .png for one sheet, or a folder for a file each.", show_default=False)],
    n: Annotated[int, typer.Option("-n", help="How many.")] = 64,
    steps: Steps = None,
    sampler: SamplerName = None,
    label: Annotated[
        str | None, typer.Option(help="A class, or several that take turns, 3 or 0,1,2; all of them without it.")
    ] = None,
    guidance: Annotated[float | None, typer.Option(help="Above 1 follows the label more closely.")] = None,
    temperature: Annotated[float, typer.Option(help="Scales the noise at the start; below 1 is more cautious.")] = 1.0,
    seed: Seed = 0,
    batch: Batch = 64,
    force: Force = False,
) -> None:
    """Draw pictures from a run. Picture i of a seed is the same whatever --batch, -n and the number of processes."""
    from unveil.tasks.run import read_recipe
    from unveil.tasks.sample import sample as sample_task

    if out.suffix and out.suffix.lower() != ".png" and not out.is_dir():
        raise ConfigError(f"--out {out}: pictures are saved as one .png, or into a folder (a name without a dot).")
    check_new(out, force)
    x = sample_task(
        run,
        n,
        steps=steps,
        sampler=sampler,
        seed=seed,
        batch=batch,
        label=numbers(label, "--label"),
        guidance=guidance,
        report=ConsoleReport(),
        temperature=temperature,
    )
    recipe = read_recipe(run)

    from unveil.data import save_images
    from unveil.recipes import dump

    about = {
        "recipe": recipe.name,
        "run": str(run),
        "seed": seed,
        "steps": steps or recipe.sampling.steps,
        "sampler": sampler or recipe.sampling.sampler,
    }
    if first_process():
        save_images(x, out, force=force, metadata={"unveil": about, "recipe": dump(recipe)})
    stdout().print(f"{n} samples are in {out}", markup=False)
