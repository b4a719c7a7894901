"""`unveil video`: go on with a clip, recall what came before it, fill its gaps, make clips from nothing, draw a path."""

from pathlib import Path
from typing import Annotated, Any

import typer

from unveil.cli.console import ConsoleReport, stdout
from unveil.cli.options import (
    Batch,
    Force,
    RunArgument,
    SamplerName,
    Seed,
    Steps,
    check_not_read,
    check_picture,
    read_numbers,
)  # fmt: skip
from unveil.core.errors import ConfigError
from unveil.core.files import check_new
from unveil.data.writing import check_clip, check_rate, nearest_rate
from unveil.tasks.video_choices import BATCH, Task

Clip = Annotated[
    str,
    typer.Argument(
        help="A video, a gif, an .npz or .npy file, a folder of frames, or moving-digits.", show_default=False
    ),
]
Out = Annotated[
    Path,
    typer.Option(help="Where the clip goes: .mp4, .webm, .gif, .npz, or a folder of frames.", show_default=False),
]
Frames = Annotated[int | None, typer.Option(help="How many to make; those of one block without it.")]
Trajectories = Annotated[int, typer.Option(help="How many different answers; each goes to a file of its own.")]
Start = Annotated[int, typer.Option(help="The first frame of CLIP that is known.")]
Number = Annotated[int, typer.Option(help="Which clip of moving-digits.")]
Strip = Annotated[
    Path | None, typer.Option(help="A .png with frames side by side, 16 at most; the known ones have a border.")
]
Fps = Annotated[float | None, typer.Option(help="Frames a second; the clip's own without it.")]
Scale = Annotated[int, typer.Option(help="Enlarge each pixel so many times.")]
MadeOnly = Annotated[bool, typer.Option("--made-only", help="Leave the known frames out of the clip.")]
Times = Annotated[
    str | None, typer.Option(help="When, in frames, for models of paths: any numbers that ascend, such as 10,10.5,12.")
]
KnownTimes = Annotated[
    str | None, typer.Option(help="When the known frames were taken, for models of paths; 0,1,2,... without it.")
]
Sparse = Annotated[bool, typer.Option("--sparse", help="Make frames that are far apart first, then those between.")]


def predict(
    run: RunArgument, clip: Clip, out: Out, frames: Frames = None, trajectories: Trajectories = 1, start: Start = 0,
    number: Number = 0, sparse: Sparse = False, steps: Steps = None, sampler: SamplerName = None, seed: Seed = 0,
    batch: Batch = BATCH, strip: Strip = None, fps: Fps = None, scale: Scale = 1, made_only: MadeOnly = False,
    force: Force = False, times: Times = None, known_times: KnownTimes = None,
) -> None:  # fmt: skip
    """Make the frames that follow a clip."""
    _carry_out(
        run, "predict", clip, out, strip, fps, scale, made_only, force, frames=frames, trajectories=trajectories,
        start=start, number=number, sparse=sparse, steps=steps, sampler=sampler, seed=seed, batch=batch,
        times=times, known_times=known_times,
    )  # fmt: skip


def past(
    run: RunArgument, clip: Clip, out: Out, frames: Frames = None, trajectories: Trajectories = 1, start: Start = 0,
    number: Number = 0, steps: Steps = None, sampler: SamplerName = None, seed: Seed = 0, batch: Batch = BATCH,
    strip: Strip = None, fps: Fps = None, scale: Scale = 1, made_only: MadeOnly = False, force: Force = False,
    times: Times = None, known_times: KnownTimes = None,
) -> None:  # fmt: skip
    """Make the frames that came before a clip."""
    _carry_out(
        run, "past", clip, out, strip, fps, scale, made_only, force, frames=frames, trajectories=trajectories,
        start=start, number=number, steps=steps, sampler=sampler, seed=seed, batch=batch, times=times,
        known_times=known_times,
    )  # fmt: skip


def interpolate(
    run: RunArgument, clip: Clip, out: Out,
    missing: Annotated[
        bool,
        typer.Option("--missing", help="CLIP has a gap: the frames after it follow at once. Else they are left out."),
    ] = False,
    trajectories: Trajectories = 1, start: Start = 0, number: Number = 0, steps: Steps = None,
    sampler: SamplerName = None, seed: Seed = 0, batch: Batch = BATCH, strip: Strip = None, fps: Fps = None,
    scale: Scale = 1, made_only: MadeOnly = False, force: Force = False,
    factor: Annotated[
        int | None,
        typer.Option(
            help="Frames made for each of CLIP, for models of paths; 2 without it. The clip lasts as long as before: for slow "
            "motion give --fps too."
        ),
    ] = None,
    times: Times = None,
) -> None:  # fmt: skip
    """Make the frames between others."""
    _carry_out(
        run, "interpolate", clip, out, strip, fps, scale, made_only, force, missing=missing, trajectories=trajectories,
        start=start, number=number, steps=steps, sampler=sampler, seed=seed, batch=batch, factor=factor, times=times,
    )  # fmt: skip


def generate(
    run: RunArgument, out: Out, frames: Frames = None, trajectories: Trajectories = 1, sparse: Sparse = False,
    steps: Steps = None, sampler: SamplerName = None, seed: Seed = 0, batch: Batch = BATCH, strip: Strip = None,
    fps: Fps = None, scale: Scale = 1, force: Force = False, times: Times = None,
) -> None:  # fmt: skip
    """Make clips from nothing."""
    _carry_out(
        run, "generate", None, out, strip, fps, scale, False, force, frames=frames, trajectories=trajectories,
        sparse=sparse, steps=steps, sampler=sampler, seed=seed, batch=batch, times=times,
    )  # fmt: skip


def path(
    run: RunArgument, clip: Clip,
    out: Annotated[Path, typer.Option(help="Where the picture goes, a .png.", show_default=False)],
    frames: Annotated[int | None, typer.Option(help="How far the path is followed; as in training without it.")] = None,
    start: Start = 0, number: Number = 0, force: Force = False,
) -> None:  # fmt: skip
    """Draw the path of a clip through the states of a model, with its frames along it."""
    from unveil.tasks.run import read_recipe
    from unveil.tasks.video_path import check_path, course, draw

    check_path(read_recipe(run), frames, start)
    if out.suffix.lower() != ".png":
        raise ConfigError(f"--out {out}: the picture of a path is saved as .png.")
    check_new(out, force, option="--out")
    found = course(run, clip, frames=frames, start=start, number=number, report=ConsoleReport())
    draw(found, out, title=run.name)
    stdout().print(
        f"The path is in {out}; {found.share:.0%} of its spread is in the plane that is shown.", markup=False
    )


def _carry_out(
    run: Path, task: Task, clip: str | None, out: Path, strip: Path | None, fps: float | None, scale: int,
    made_only: bool, force: bool, **options: Any,
) -> None:  # fmt: skip
    from unveil.tasks.run import read_recipe
    from unveil.tasks.video import check_video, video
    from unveil.tasks.video_times import check_times, video_at

    for name in ("times", "known_times"):
        options[name] = read_numbers(options.get(name), f"--{name.replace('_', '-')}")
    recipe = read_recipe(run)
    paths = recipe.model.kind == "ode-video"
    if paths:
        check_times(recipe, task, **{name: value for name, value in options.items() if name != "number"})
    else:
        own = {name: options.pop(name, None) for name in ("times", "known_times", "factor")}
        given = next((name for name, value in own.items() if value is not None), None)
        checked = ("frames", "trajectories", "start", "seed", "steps", "sampler", "sparse", "batch")
        check_video(recipe, task, **{name: options[name] for name in checked if name in options})
        if given is not None:
            raise ConfigError(
                f"This run makes whole frames, one after another, and takes no --{given.replace('_', '-')}; leave it out, or "
                "train a model of paths, such as moving-digits-ode."
            )
    if scale < 1:
        raise ConfigError(f"--scale is {scale}; it must be 1 or more.")
    if fps is not None and not 0 < fps <= 1000:
        raise ConfigError(f"--fps is {fps}; it must be above 0, and 1000 at most.")
    places = _places(out, options["trajectories"])
    for place in places:
        check_clip(place, force, "--out")
        if fps is not None:
            check_rate(place, fps)
        check_not_read(place, clip, kind="the clip")
    check_picture(strip, force, "--strip")
    report = ConsoleReport()
    made = (video_at if paths else video)(run, task, clip, report=report, **options)

    from unveil.data import save_images, write_video

    told = {"run": str(run), "task": task, "clip": clip, **options}
    rate = nearest_rate(out, fps or made.fps)
    if fps is None and rate != made.fps:
        most, word = ("most", "slowed down") if rate < made.fps else ("least", "sped up")
        stdout().print(
            f"The clip plays {made.fps:g} frames a second, and {out.suffix} {rate:g} at {most}: it is {word}.",
            markup=False,
        )
    for i, place in enumerate(places):
        x = (made.made if made_only else made.clips)[i]
        about = {"unveil": told | {"trajectory": i, "known": [] if made_only else list(made.known)}}
        write_video(x, place, fps=rate, scale=scale, force=force, metadata=about)
    if strip is not None:
        save_images(made.strip(), strip, force=force, metadata={"unveil": told})
    if made.psnr is not None:
        of = "" if len(places) == 1 else f" of the best of {len(places)}"
        stdout().print(
            f"PSNR{of} against the clip itself: {made.psnr[0]:.2f} dB (repeating the nearest known frame "
            f"{made.psnr[1]:.2f} dB)",
            markup=False,
        )
    where = str(places[0]) if len(places) == 1 else f"{places[0]} to {places[-1]}"
    stdout().print(f"The clip is in {where}" if len(places) == 1 else f"The clips are in {where}", markup=False)
    if strip is not None:
        stdout().print(f"Its frames side by side are in {strip}", markup=False)


def _places(out: Path, count: int) -> list[Path]:
    """Where each trajectory goes: one to `out`, more to out-1, out-2, ... with the same ending."""
    if count == 1:
        return [out]
    return [out.with_name(f"{out.stem}-{i + 1}{out.suffix}") for i in range(count)]
