"""`unveil sample`: pictures from a run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from unveil.cli.console import ConsoleReport, stdout
from unveil.cli.options import Batch, Force, RunArgument, SamplerName, Seed, Steps, check_no_run
from unveil.core.errors import ConfigError
from unveil.tasks.report import first_process


def sample(
    run: RunArgument,
    out: Annotated[
        Path,
        typer.Option(
            help="A .png for one sheet, or a new folder for a file each. With --force a file is overwritten, and a folder "
            "that holds nothing but pictures drawn before gets these instead; any other folder is refused.",
            show_default=False,
        ),
    ],
    n: Annotated[int, typer.Option("-n", help="How many.")] = 64,
    steps: Steps = None,
    sampler: SamplerName = None,
    label: Annotated[
        str | None,
        typer.Option(help="A class by number or name, or several that take turns: 3 or cat,dog; all without it."),
    ] = None,
    guidance: Annotated[float | None, typer.Option(help="Above 1 follows the label more closely.")] = None,
    temperature: Annotated[float, typer.Option(help="Scales the noise at the start; below 1 is more cautious.")] = 1.0,
    seed: Seed = 0,
    batch: Batch = 64,
    force: Force = False,
) -> None:
    """Draw pictures from a run. Picture i of a seed is the same whatever --batch, -n and the number of processes.

    Samples that are points of the plane are drawn as dots on one sheet.
    """
    from unveil.data.writing import check_pictures
    from unveil.tasks.run import read_recipe
    from unveil.tasks.sample import check_sampling, walk_of
    from unveil.tasks.sample import sample as sample_task

    asked: Any = {
        "steps": steps,
        "sampler": sampler,
        "seed": seed,
        "batch": batch,
        "label": label,
        "guidance": guidance,
        "temperature": temperature,
    }
    recipe = read_recipe(run)
    check_sampling(recipe, n, **asked)
    check_no_run(out)
    check_pictures(out, force)
    points = recipe.data.dimension is not None
    if points and out.suffix.lower() != ".png":
        raise ConfigError(f"--out {out}: samples of this run are points, which are drawn on one sheet; name a .png.")
    x = sample_task(run, n, **asked, report=ConsoleReport())

    from unveil.data import save_images
    from unveil.recipes import dump
    from unveil.tasks.scatter import scatter

    about = {"recipe": recipe.name, "run": str(run), "seed": seed, **walk_of(recipe, steps=steps, sampler=sampler)}
    about |= {name: asked[name] for name in ("label", "guidance", "temperature") if asked[name] not in (None, 1.0)}
    if first_process():
        save_images(scatter(x) if points else x, out, force=force, metadata={"unveil": about, "recipe": dump(recipe)})
    stdout().print(f"{n} sample is in {out}" if n == 1 else f"{n} samples are in {out}", markup=False)
