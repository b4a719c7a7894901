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
    split: Annotated[str, typer.Option(help="train, test or all: the part of each source.", metavar="PART")] = "all",
    ood: Annotated[
        bool,
        typer.Option(
            "--ood",
            help="Print also what is left of the bits when those of a lossless file (PNG or WebP) are taken away: high for "
            "pictures unlike the training data. The first source is taken for ordinary, and the others are told from it.",
        ),
    ] = False,
    shuffle: Annotated[
        int | None, typer.Option(help="Cut pictures into squares of so many pixels, and let those change places.")
    ] = None,
    seed: Seed = 0,
    batch: Batch = 64,
) -> None:
    """Print the bits per dimension of pictures: few for those that the model expects, many for others."""
    from unveil.data.sources import check_source
    from unveil.tasks.images import open_pictures
    from unveil.tasks.likelihood import check_likelihood
    from unveil.tasks.likelihood import likelihood as likelihood_task
    from unveil.tasks.run import load, read_recipe

    recipe = read_recipe(run)
    check_likelihood(recipe, n, batch, probes, seed, split=split, shuffle=shuffle)
    for source in images:
        check_source(source)
    loaded, report, found = load(run), ConsoleReport(), []
    # All are opened first: nothing is measured where one of them cannot be.
    opened = [open_pictures(recipe, source=source, split=split, report=report) for source in images]  # type: ignore[arg-type]
    for source, pictures in zip(images, opened, strict=True):
        bits = likelihood_task(
            loaded,
            pictures,
            n=n,
            split=split,  # type: ignore[arg-type]
            seed=seed,
            batch=batch,
            probes=probes,
            exact=exact,
            formats=("png", "webp") if ood else (),
            shuffle=shuffle,
            report=report,
        )
        found.append(bits)
        columns = [bits.each, bits.strangeness] if ood else [bits.each]
        for i, values in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            numbers = "\t".join(f"{value:.4f}" for value in values)
            print(f"{source}\t{i}\t{numbers}", file=stdout().file)  # rich would turn tabs into spaces
        if len(bits.each) > 1:
            stdout().print(str(bits.measure), markup=False)
    if ood and len(found) > 1:
        from unveil.metrics import auroc

        for source, bits in zip(images[1:], found[1:], strict=True):
            plain, corrected = auroc(found[0].each, bits.each), auroc(found[0].strangeness, bits.strangeness)
            stdout().print(
                f"{source} beside {images[0]}: area under the curve {plain:.3f} by bits, {corrected:.3f} beyond a file's",
                markup=False,
            )
