"""`unveil restore`: bring a spoilt picture back."""

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from unveil.cli.console import ConsoleReport, stderr, stdout
from unveil.cli.options import Force, RunArgument, Seed, check_apart, check_not_read, check_picture
from unveil.core.errors import ConfigError
from unveil.core.numbers import check_amount
from unveil.recipes.choices import Solver


def restore(
    run: RunArgument,
    image: Annotated[Path, typer.Argument(help="The picture as it is now, of any size.", show_default=False)],
    operator: Annotated[
        str, typer.Option(help="What was done to it, see below.", metavar="OPERATOR", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Where the restored picture goes, a .png.", show_default=False)],
    truth: Annotated[Path | None, typer.Option(help="The clean picture, if you have it: prints PSNR and SSIM.")] = None,
    degrade: Annotated[
        bool, typer.Option("--degrade", help="IMAGE is the clean picture: spoil it first, then restore it and compare.")
    ] = False,
    show: Annotated[
        Path | None, typer.Option(help="A .png with the measured, the restored and the true picture side by side.")
    ] = None,
    solver: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(get_args(Solver))}; what suits the operator without it.", metavar="NAME"),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Of the solver, if it takes any; its own number without it.")
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="Work on pieces of so many pixels a side; smaller ones take less memory.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="Of a flow, which draws details: 1 as likely as they are, 0 the middle of all; 1 without it."
        ),
    ] = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Restore a picture: you say what was done to it, and the run knows what pictures look like."""
    from unveil.tasks.measurements import parse
    from unveil.tasks.restore import check_restoring
    from unveil.tasks.restore import restore as restore_task
    from unveil.tasks.run import read_recipe

    measurement = parse(operator)
    recipe = read_recipe(run)
    check_restoring(recipe, measurement, solver, degrade=degrade, window=window, steps=steps)
    if steps is not None and steps < 1:
        raise ConfigError(f"--steps is {steps}; it must be 1 or more.")
    if truth is not None and degrade:
        raise ConfigError("With --degrade IMAGE is the truth; leave one of --degrade and --truth out.")
    for option, path in (("--out", out), ("--show", show)):
        check_picture(path, force, option)
    check_apart(out, show)
    for path in (out, show):
        check_not_read(path, image, truth, kind="the picture")
        check_not_read(path, *(part.file for part in measurement.parts), kind="the mask or kernel")
    if temperature is not None:
        from unveil.recipes.multires_cnf import MultiResCNFSpec

        if not isinstance(recipe.model, MultiResCNFSpec):
            raise ConfigError("Only a flow draws details at a --temperature; leave it out.")
        check_amount("temperature", temperature)
    report = ConsoleReport()
    options: dict[str, Any] = {} if steps is None else {"steps": steps}
    if temperature is not None:
        options["temperature"] = temperature
    found = restore_task(
        run,
        image,
        measurement,
        degrade=degrade,
        truth=truth,
        solver=solver,
        seed=seed,
        window=window,
        report=report,
        **options,
    )

    from unveil.data import save_images
    from unveil.tasks.pictures import side_by_side

    for note in found.notes:
        stderr().print(f"Note: {note}", style="yellow", markup=False)
    about = {"run": str(run), "image": str(image), "operator": operator, "solver": solver or "by itself", "seed": seed}
    save_images(found.image, out, force=force, metadata={"unveil": about})
    if show is not None:
        save_images(side_by_side(found.panels), show, force=force, metadata={"unveil": about})
    if found.psnr is not None:
        ssim = "" if found.ssim is None else f", SSIM {found.ssim[0]:.4f} (without the run {found.ssim[1]:.4f})"
        stdout().print(f"PSNR {found.psnr[0]:.2f} dB (without the run {found.psnr[1]:.2f} dB){ssim}", markup=False)
    stdout().print(f"The restored picture is in {out}" + (f", side by side in {show}" if show else ""), markup=False)
