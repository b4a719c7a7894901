"""`unveil refine`: move pictures towards what a run knows."""

from pathlib import Path
from typing import Annotated, Any

import typer

from unveil.cli.console import ConsoleReport, stdout
from unveil.cli.options import (
    Batch,
    Force,
    RunArgument,
    Seed,
    check_apart,
    check_not_read,
    check_picture,
)


def refine(
    run: RunArgument,
    images: Annotated[list[str], typer.Argument(help="Pictures, or folders of them.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="A .png for one sheet, or a new folder for a file each.", show_default=False)
    ],
    until: Annotated[
        float | None,
        typer.Option(help="Of a diffusion: how much is hidden, a step of its chain or a time below 1; 0.4 without it."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="How often pictures are hidden and brought back; more go farther.")] = 1,
    steps: Annotated[
        int | None, typer.Option(help="Of the walk back, or of an energy's chains, where 0 leaves them out.")
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="White where pictures may change; all of them without it.")] = None,
    keep_size: Annotated[
        bool,
        typer.Option(
            "--keep-size",
            help="Leave pictures at their size, which a diffusion then looks at through windows of its own.",
        ),
    ] = False,
    n: Annotated[int | None, typer.Option("-n", help="Use the first so many.")] = None,
    show: Annotated[Path | None, typer.Option(help="A .png with what was given above what became of it.")] = None,
    seed: Seed = 0,
    batch: Batch = 64,
    force: Force = False,
) -> None:
    """Move pictures towards what a run knows, such as a rough drawing or the samples of another model.

    A diffusion hides them in noise and walks back; a Hat Diffusion EBM takes steps of its kernel and refines them.
    """
    from unveil.data.writing import check_pictures
    from unveil.tasks.refine import check_refining
    from unveil.tasks.refine import refine as refine_task
    from unveil.tasks.run import read_recipe

    asked: dict[str, Any] = {
        "until": until, "repeats": repeats, "steps": steps, "n": n, "seed": seed, "batch": batch,
        "keep_size": keep_size,
    }  # fmt: skip
    check_refining(read_recipe(run), **asked)
    check_pictures(out, force, "--out")
    check_picture(show, force)
    check_apart(out, show)
    for path in (out, show):
        check_not_read(path, *images, mask, kind="a picture")
    found = refine_task(run, images, mask=mask, **asked, report=ConsoleReport())

    from unveil.data import save_images

    about = {"unveil": {"run": str(run), "images": images, **{k: v for k, v in asked.items() if v is not None}}}
    save_images(found.images, out, force=force, metadata=about)
    count = len(found.images)
    made = f"The picture is in {out}" if count == 1 else f"{count} pictures are in {out}"
    if show is not None:
        save_images(found.rows, show, force=force, metadata=about, columns=count)
        made += f", beside what was given in {show}"
    stdout().print(f"{made}.", markup=False)
