"""`unveil pose photograph`: a picture of a body, and the points in it."""

from pathlib import Path
from typing import Annotated

import typer

from unveil.cli.console import stdout
from unveil.cli.options import Force, check_not_read, check_picture, read_size
from unveil.core.errors import ConfigError
from unveil.core.files import check_new
from unveil.core.json_file import write_json
from unveil.tasks.pose_choices import POSES
from unveil.tasks.pose_photograph import SIZE
from unveil.tasks.pose_photograph import photograph as photograph_task


def photograph(
    pose: Annotated[Path, typer.Argument(help=f"A pose or motion: {', '.join(POSES)}.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the picture goes, a .png.", show_default=False, metavar="FILE")],
    points: Annotated[
        Path | None, typer.Option(help="Also write where its joints are in it, a .json.", metavar="FILE")
    ] = None,
    frame: Annotated[int, typer.Option(help="Which of a motion.")] = 0,
    turn: Annotated[float, typer.Option(help="Degrees that the camera has gone round to the body's left.")] = 0.0,
    size: Annotated[str, typer.Option(help="Height and width of the picture.")] = f"{SIZE[0]}x{SIZE[1]}",
    force: Force = False,
) -> None:
    """Draw a body as a camera sees it, with the points that an estimator would have to find."""
    check_picture(out, force, "--out")
    if points is not None:
        if points.suffix.lower() != ".json":
            raise ConfigError(f"--points is {points}; its name must end in .json.")
        check_new(points, force, option="--points")
        check_not_read(points, pose)
    taken = photograph_task(pose, frame=frame, turn=turn, size=read_size(size) or SIZE)

    from unveil.data import save_images

    save_images(taken.picture[None], out, force=force)
    stdout().print(f"The picture is {out}; its camera's focal length is {taken.focal:.0f} pixels", markup=False)
    if points is not None:
        found = {name: [round(number, 2) for number in place] for name, place in taken.points.items()}
        write_json(points, {"points": found}, force=force)
        stdout().print(f"{len(found)} points are in {points}", markup=False)
