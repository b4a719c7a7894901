"""`unveil edit`: draw, move, paste, enlarge or animate with a model of one picture."""

from pathlib import Path
from signal import SIGINT
from typing import Annotated, Any, Literal

import typer

from unveil.cli.console import ConsoleReport, stderr, stdout
from unveil.cli.options import (
    Force,
    RunArgument,
    Seed,
    check_apart,
    check_not_read,
    check_picture,
    read_size,
)
from unveil.core.errors import ConfigError

FPS = 12.5


def edit(
    run: RunArgument,
    task: Annotated[str, typer.Option(help="What to do, see below.", metavar="TASK", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(
            help="A .png, or a new folder for a file each; of animate an .mp4, .gif or .webm.", show_default=False
        ),
    ],
    image: Annotated[
        Path | None,
        typer.Argument(
            help="The picture to edit, of any size; the run's own where the task allows it.", show_default=False
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="White where the picture was changed, else black; found without it. Of inpaint: what is to be filled."
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            help="Where to start: 1 is freest, the last keeps most of what is given; all tries each. What suits the task "
            "without it.",
            metavar="N|all",
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many; they differ by --noise.")] = 1,
    noise: Annotated[
        float | None,
        typer.Option(
            help="Added to where chains start, 0.02 to 0.2. Of animate, how much moves. Without it 0.03 of paint and animate, "
            "0.02 of edit, harmonize and style, none of resize."
        ),
    ] = None,
    factor: Annotated[float | None, typer.Option(help="Of super-resolve: how many times larger.")] = None,
    size: Annotated[str | None, typer.Option(help="Of resize: height and width.", metavar="HxW")] = None,
    frames: Annotated[int | None, typer.Option(help="Of animate; 60 without it.")] = None,
    fps: Annotated[float | None, typer.Option(help="Of animate: frames a second; 12.5 without it.")] = None,
    colours: Annotated[
        int | None,
        typer.Option(
            help="Of paint and style: to so many colours of the picture those of IMAGE are matched; 0 leaves them. Without it "
            "12 of paint, and of style their mean and spread alone."
        ),
    ] = None,
    keep_light: Annotated[
        bool, typer.Option("--keep-light", help="Of style: keep the light and dark of IMAGE, and take colours alone.")
    ] = False,
    keep_size: Annotated[
        bool, typer.Option("--keep-size", help="Enlarge the result to the size of IMAGE, where that is larger.")
    ] = False,
    show: Annotated[
        Path | None, typer.Option(help="A .png with what was given and what was made side by side.")
    ] = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Edit a picture with a model of one picture, which redraws what you changed with the patches that it has learned."""
    from unveil.data.writing import check_clip, check_pictures, check_rate
    from unveil.tasks.edit import check_editing
    from unveil.tasks.edit import edit as edit_task
    from unveil.tasks.run import read_recipe

    asked: dict[str, Any] = {
        "mask": mask, "scale": _scale(scale), "n": n, "noise": noise, "factor": factor, "size": read_size(size),
        "frames": frames, "colours": colours, "keep_light": keep_light, "keep_size": keep_size,
    }  # fmt: skip
    recipe = read_recipe(run)
    check_editing(recipe, task, image=image, **asked)
    moving = task == "animate"
    (check_clip if moving else check_pictures)(out, force, "--out")
    if moving:
        rate = FPS if fps is None else fps
        check_rate(out, rate)
    elif fps is not None:
        raise ConfigError(f"The task {task} takes no fps; that is for animate.")
    if show is not None:
        if moving:
            raise ConfigError("A clip is shown by itself: leave out --show.")
        check_picture(show, force)
        check_apart(out, show)
    for path in (out, show):
        check_not_read(path, image, mask, kind="a picture")
    try:
        found = edit_task(run, image, task, **asked, seed=seed, report=ConsoleReport())
    except KeyboardInterrupt:
        stderr().print("Stopped; nothing was written.")
        raise typer.Exit(128 + SIGINT) from None

    from unveil.data import save_images, write_video
    from unveil.tasks.pictures import side_by_side

    for note in found.notes:
        stderr().print(f"Note: {note}", style="yellow", markup=False)
    told = {name: value for name, value in asked.items() if value not in (None, False)}
    about = {"unveil": {"run": str(run), "image": str(image) if image else None, "task": task, "seed": seed, **told}}
    if moving:
        write_video(found.images, out, fps=rate, force=force, metadata=about)
        count = len(found.images)
        made = f"A clip of {count} frame{'s' if count > 1 else ''} is in {out}"
    else:
        save_images(found.images, out, force=force, metadata=about, scale=1)
        count = len(found.images)
        size = f"{found.images.shape[3]} x {found.images.shape[2]} pixels"
        made = f"The picture is in {out} ({size})" if count == 1 else f"{count} pictures are in {out} ({size} each)"
    if show is not None:
        save_images(side_by_side(found.panels), show, force=force, metadata=about)
        made += f", side by side with what was given in {show}"
    where = f" Started at scale {', '.join(map(str, found.scales))} of 0 to {found.finest}." if found.scales else ""
    stdout().print(f"{made}.{where}", markup=False)


def _scale(text: str | None) -> int | Literal["all"] | None:
    if text is None:
        return None
    if text == "all":
        return "all"
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"--scale is {text!r}; give a whole number, or all.") from None
