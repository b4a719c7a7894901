"""`unveil evaluate`: how good are the samples of a run?"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from unveil.cli.console import ConsoleReport, stdout
from unveil.cli.options import Batch, Force, JsonOut, Part, RunArgument, SamplerName, Seed, Steps, check_json
from unveil.core.json_file import write_json
from unveil.tasks.figures import METRICS
from unveil.tasks.report import first_process


def evaluate(
    run: RunArgument,
    data: Annotated[str | None, typer.Option(help="Real images; those of the training without it.")] = None,
    metrics: Annotated[
        str,
        typer.Option(help=f"Some of {', '.join(METRICS)}; the last three need --inception.", metavar="NAME,NAME,..."),
    ] = "frechet,kernel,pr",
    n: Annotated[
        int | None, typer.Option("-n", help="Samples; as many as real images, up to 5,000, without it.")
    ] = None,
    split: Part = "test",
    inception: Annotated[Path | None, typer.Option(help="A file with the published Inception weights.")] = None,
    features: Annotated[Path | None, typer.Option(help="The run of a classifier to measure with.")] = None,
    steps: Steps = None,
    sampler: SamplerName = None,
    seed: Seed = 0,
    batch: Batch = 64,
    out: JsonOut = None,
    force: Force = False,
) -> None:
    """Draw samples from a run and measure them against real images.

    Without Inception weights a small classifier is trained on the real images' labels, and figures carry its name.
    """
    from unveil.tasks.evaluate import check_evaluation
    from unveil.tasks.evaluate import evaluate as evaluate_task
    from unveil.tasks.run import read_recipe

    asked: Any = {
        "data": data,
        "metrics": [name.strip().lower() for name in metrics.split(",") if name.strip()],
        "n": n,
        "split": split,
        "inception": inception,
        "features": features,
        "steps": steps,
        "sampler": sampler,
        "seed": seed,
        "batch": batch,
    }
    check_evaluation(read_recipe(run), **asked)
    check_json(out, force)
    measures = evaluate_task(run, **asked, report=ConsoleReport())
    for measure in measures:
        stdout().print(str(measure), markup=False)
    if out is not None and first_process():
        write_json(out, [asdict(measure) for measure in measures], force=force, indent=2)
