"""`unveil likelihood`: how likely are these pictures?"""

from typing import Annotated

import typer

from unveil.cli.console import ConsoleReport, stdout
from unveil.cli.options import Batch, RunArgument, Seed


def likelihood(
    run: RunArgument,
    images: Annotated[
        list[str], typer.Argument(help="Pictures, folders of them, or embedded sources.", show_default=False)
    ],
    n: Annotated[int | None, typer.Option("-n", help="Use the first so many of each.")] = None,
    probes: Annotated[int, typer.Option(help="Random directions to look in; more take longer and scatter less.")] = 1,
    exact: Annotated[
        bool, typer.Option("--exact", help="Look in every direction: no scatter, and far slower.")
    ] = False,
    seed: Seed = 0,
    batch: Batch = 64,
) -> None:
    """Print the bits per dimension of pictures: few for those that the model expects, many for others."""
    from unveil.data.sources import check_source
    from unveil.tasks.likelihood import check_likelihood
    from unveil.tasks.likelihood import likelihood as likelihood_task
    from unveil.tasks.run import load, read_recipe

    recipe = read_recipe(run)
    check_likelihood(recipe, n, batch, probes, seed)
    for source in images:
        check_source(source)
    loaded = load(run)
    for source in images:
        bits = likelihood_task(
            loaded, source, n=n, seed=seed, batch=batch, probes=probes, exact=exact, report=ConsoleReport()
        )
        for i, value in enumerate(bits.each.tolist()):
            print(f"{source}\t{i}\t{value:.4f}", file=stdout().file)  # rich would turn tabs into spaces
        if len(bits.each) > 1:
            stdout().print(str(bits.measure), markup=False)
