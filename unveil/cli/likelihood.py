"""`unveil likelihood`: how likely are these pictures?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unveil.cli.console import ConsoleReport, stdout
from unveil.cli.options import Batch, Force, JsonOut, Part, RunArgument, Seed, check_json
from unveil.core.json_file import write_json

if TYPE_CHECKING:
    from torch import Tensor


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
    split: Part = "all",
    ood: Annotated[
        bool,
        typer.Option(
            "--ood",
            help="Print also what is left of the bits when those of a lossless file (PNG or WebP) are taken away: high for "
            "pictures unlike the training data; of a Hat Diffusion EBM the energy alone. The first source is taken for "
            "ordinary, and the others are told from it.",
        ),
    ] = False,
    shuffle: Annotated[
        int | None, typer.Option(help="Cut pictures into squares of so many pixels, and let those change places.")
    ] = None,
    seed: Seed = 0,
    batch: Batch = 64,
    out: JsonOut = None,
    force: Force = False,
) -> None:
    """Print the bits per dimension of pictures: few for those that the model expects, many for others."""
    from unveil.data.sources import check_source
    from unveil.recipes.hat import HatSpec
    from unveil.tasks.energies import check_energies, energies
    from unveil.tasks.images import open_pictures
    from unveil.tasks.likelihood import check_likelihood
    from unveil.tasks.likelihood import likelihood as likelihood_task
    from unveil.tasks.run import load, read_recipe

    recipe = read_recipe(run)
    by_energy = ood and isinstance(recipe.model, HatSpec)
    if by_energy:
        check_energies(recipe, n, batch, seed, split=split, shuffle=shuffle)
    else:
        check_likelihood(recipe, n, batch, probes, seed, split=split, shuffle=shuffle)
    check_json(out, force)
    for source in images:
        check_source(source)
    loaded, report = load(run), ConsoleReport()
    chosen: dict[str, Any] = {
        "n": n,
        "split": split,
        "seed": seed,
        "batch": batch,
        "shuffle": shuffle,
        "report": report,
    }
    scores: list[dict[str, Tensor]] = []
    rows: list[dict[str, Any]] = []
    # All are opened first: nothing is measured where one of them cannot be.
    opened = [open_pictures(recipe, source=source, split=split, report=report) for source in images]
    for source, pictures in zip(images, opened, strict=True):
        measure = None
        if by_energy:
            scores.append({"by energy": energies(loaded, pictures, **chosen)})
        else:
            formats = ("png", "webp") if ood else ()
            bits = likelihood_task(loaded, pictures, probes=probes, exact=exact, formats=formats, **chosen)
            scores.append({"by bits": bits.each} | ({"beyond a file's": bits.strangeness} if ood else {}))
            measure = bits.measure
        for i, values in enumerate(zip(*(column.tolist() for column in scores[-1].values()), strict=True)):
            numbers = "\t".join(f"{value:.4g}" if by_energy else f"{value:.4f}" for value in values)
            print(f"{source}\t{i}\t{numbers}", file=stdout().file)  # rich would turn tabs into spaces
        rows.append({"source": source} | {name: values.tolist() for name, values in scores[-1].items()})
        rows[-1] |= {} if measure is None else {"measure": asdict(measure)}
        if measure is not None and measure.count > 1:
            stdout().print(str(measure), markup=False)
    if ood and len(scores) > 1:
        from unveil.metrics import auroc

        for row, found in zip(rows[1:], scores[1:], strict=True):
            row["area"] = {name: auroc(scores[0][name], found[name]) for name in found}
            areas = ", ".join(f"{area:.3f} {name}" for name, area in row["area"].items())
            stdout().print(f"{row['source']} beside {images[0]}: area under the curve {areas}", markup=False)
    if out is not None:
        write_json(out, rows, force=force)
