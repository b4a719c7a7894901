"""`unveil sample`: pictures from a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from unveil.cli.console import ConsoleReport, stdout
from unveil.cli.options import Batch, Force, RunArgument, SamplerName, Seed, Steps, read_size
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
    temperature: Annotated[
        float,
        typer.Option(
            help="Scales the noise at the start; below 1 is more cautious. Divides the logits of categorical codes instead; "
            "0 takes the likeliest. Of one picture's model: how rough details are."
        ),
    ] = 1.0,
    size: Annotated[
        str | None,
        typer.Option(
            help="Height and width, such as 256x640; only models of a single image draw other sizes than their own.",
            metavar="HxW",
        ),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            help="Of a Hat Diffusion EBM: stop at its proposal, kernel, one or two; a row for each that is trained with all.",
            metavar="STAGE",
        ),
    ] = None,
    seed: Seed = 0,
    batch: Batch = 64,
    force: Force = False,
) -> None:
    """Draw pictures from a run. Picture i of a seed is the same whatever --batch, -n and the number of processes.

    Samples that are points of the plane are drawn as dots on one sheet, and those of video as rows of their frames.
    """
    from unveil.data.writing import check_pictures
    from unveil.recipes.choices import either
    from unveil.tasks.run import Run, load, read_recipe
    from unveil.tasks.sample import STAGES, check_sampling, walk_of
    from unveil.tasks.sample import sample as sample_task

    asked: Any = {
        "steps": steps,
        "sampler": sampler,
        "seed": seed,
        "batch": batch,
        "label": label,
        "guidance": guidance,
        "temperature": temperature,
        "size": read_size(size),
    }
    recipe = read_recipe(run)
    stages: Sequence[str | None] = STAGES if stage == "all" else (stage,)
    for each in stages:
        check_sampling(recipe, n, **asked, stage=each)
    check_pictures(out, force, "--out")
    points = recipe.data.dimension is not None
    if points and out.suffix.lower() != ".png":
        raise ConfigError(f"--out {out}: samples of this run are points, which are drawn on one sheet; name a .png.")
    if len(stages) > 1 and points:
        raise ConfigError(
            f"--stage all draws rows of pictures, and samples of this run are points; take {either(STAGES)}."
        )
    if len(stages) > 1 and out.suffix.lower() != ".png":
        raise ConfigError("--stage all draws a sheet with a row of pictures for each stage; name a .png for --out.")
    given = load(run) if len(stages) > 1 else run
    if isinstance(given, Run):
        stages = given.model.trained or stages  # of none the first tells what is missing
    drawn = [sample_task(given, n, **asked, stage=each, report=ConsoleReport()) for each in stages]

    import torch

    from unveil.data import save_images
    from unveil.recipes import dump
    from unveil.tasks.film import sheet
    from unveil.tasks.scatter import scatter

    about = {"recipe": recipe.name, "run": str(run), "seed": seed, **walk_of(recipe, steps=steps, sampler=sampler)}
    x = torch.cat(drawn)
    if stage is not None:
        about["stage"] = stage
    about |= {
        name: asked[name] for name in ("label", "guidance", "temperature", "size") if asked[name] not in (None, 1.0)
    }
    if first_process():
        pictures = scatter(x) if points else x if x.ndim == 4 else sheet(x, apart=out.suffix.lower() != ".png")
        columns = n if len(stages) > 1 else None
        save_images(pictures, out, columns=columns, force=force, metadata={"unveil": about, "recipe": dump(recipe)})
    rows = f", a row each of {', '.join(map(str, stages))}" if len(stages) > 1 else ""
    stdout().print((f"{n} sample is in {out}" if n == 1 else f"{n} samples are in {out}") + rows, markup=False)
