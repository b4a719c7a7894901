"""`unveil export`: hand a run to another library."""

from pathlib import Path
from typing import Annotated

import typer

from unveil.cli.console import stdout
from unveil.cli.options import Force, RunArgument
from unveil.core.files import check_new


def export(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="The folder to write.", show_default=False)],
    force: Force = False,
) -> None:
    """Write a run as a folder that diffusers opens: DDPMPipeline.from_pretrained(FOLDER)."""
    from unveil.tasks.diffusers import check_export
    from unveil.tasks.diffusers import export as export_task
    from unveil.tasks.run import read_recipe

    check_export(read_recipe(run), run)
    check_new(out, force, folder=True, option="--out")
    export_task(run, out, force=force)
    stdout().print(f'Exported to {out}. Open it: diffusers.DDPMPipeline.from_pretrained("{out}")', markup=False)
