"""Video at any times from a run of a model of paths: before, between and after the frames of a clip."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_seed, check_whole
from unveil.recipes import Recipe
from unveil.recipes.ode_video import ODEVideoSpec
from unveil.tasks.batches import batches
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of, shape_of
from unveil.tasks.video import VERBS, Footage, check_given, compared
from unveil.tasks.video_choices import BATCH, Task

if TYPE_CHECKING:
    from torch import Tensor

_FACTOR = 2


def check_order(name: str, times: Sequence[float], *, twice: bool = True) -> None:
    """Refuse times that do not ascend.

    Raises:
        ConfigError: the message names the first two out of order.
    """
    if not times:
        raise ConfigError(f"{name} is empty; give one time or more, such as 10,10.5,11.")
    if not all(isfinite(time) for time in times):
        raise ConfigError(f"{name} must be finite numbers of frames, such as 10.5.")
    for before, after in pairwise(times):
        if after < before or (after == before and not twice):
            told = f"and {after:g} comes " + ("twice" if after == before else f"after {before:g}")
            raise ConfigError(f"{name} must ascend, {told}; give them in the order of time.")


def check_times(
    recipe: Recipe,
    task: str,
    *,
    frames: int | None = None,
    times: Sequence[float] | None = None,
    known_times: Sequence[float] | None = None,
    factor: int | None = None,
    trajectories: int = 1,
    start: int = 0,
    seed: int = 0,
    batch: int = BATCH,
    **foreign: Any,
) -> ODEVideoSpec:
    """Refuse what a model of paths cannot do, before anything is loaded.

    Returns:
        What the model is.

    Raises:
        ConfigError: the run is of another kind, a number cannot be, or times are out of order.
    """
    spec = recipe.model
    if not isinstance(spec, ODEVideoSpec):
        raise ConfigError(
            f"The run is a {spec.kind}, which makes no frames at any times; train one that does, such as moving-digits-ode."
        )
    given = next((name for name, value in foreign.items() if value not in (None, False)), None)
    if given is not None:
        raise ConfigError(f"This run follows a path and takes no {given}; leave it out.")
    if task not in VERBS:
        raise ConfigError(f"There is no task {task!r}; there are {', '.join(VERBS)}.")
    if task not in spec.tasks:
        raise ConfigError(
            f"This run cannot {VERBS[task]}, for it knows no prior; it can do: {', '.join(spec.tasks)}. Train a variational "
            "one, such as moving-digits-ode-variational."
        )
    for name, value in (("trajectories", trajectories), ("batch", batch), ("frames", frames), ("factor", factor)):
        if value is not None:
            check_whole(name, value)
    check_whole("start", start, 0)
    check_seed(seed)
    if trajectories > 1 and not spec.variational:
        raise ConfigError(
            f"{trajectories} trajectories were asked for, and this model knows one future of a clip; leave trajectories out, "
            "or train a variational one."
        )
    if times is not None:
        check_order("times", times)
        if frames is not None or factor is not None:
            raise ConfigError("times say how many frames are made and when; leave frames and factor out.")
    if known_times is not None:
        if task not in ("predict", "past"):
            raise ConfigError(f"known_times are for predict and past; to {VERBS[task]}, leave them out.")
        check_order("known_times", known_times, twice=False)
        if not spec.variational and len(known_times) < spec.known:
            raise ConfigError(f"This model reads {spec.known} frames; give known_times for as many or more.")
        read = [] if spec.variational else known_times[: spec.known]
        if any(abs(after - before - 1) > 1e-3 for before, after in pairwise(read)):
            raise ConfigError(
                f"This model reads the first {spec.known} frames as if they were 1 apart, and known_times says otherwise; take "
                "a variational one, such as moving-digits-ode-variational, where times are uneven."
            )
    if factor is not None and task != "interpolate":
        raise ConfigError(f"factor raises the frame rate (interpolate); to {VERBS[task]}, leave it out.")
    return spec


def video_at(
    run: Run | str | Path,
    task: Task,
    clip: str | Path | None = None,
    *,
    frames: int | None = None,
    times: Sequence[float] | None = None,
    known_times: Sequence[float] | None = None,
    factor: int | None = None,
    trajectories: int = 1,
    start: int = 0,
    number: int = 0,
    seed: int = 0,
    batch: int = BATCH,
    report: Report | None = None,
    **foreign: Any,
) -> Footage:
    """Make the frames of a clip at any times, or whole clips.

    Times are counted in frames, 0 being the first frame that is known; trajectory i of a seed is the same at any batch size. A
    single trajectory is that of the mean of what the frames tell; more are drawn.

    Args:
        run: a run of a model of paths, or its folder.
        task: "predict" the frames after those known, recall the "past" before them, "interpolate" a clip at a higher frame
            rate, or "generate" clips from nothing.
        clip: a video, a gif, an .npz or .npy file, a folder of frames, or moving-digits; none to generate.
        frames: how many to make; as many as in training when None. Not to interpolate, where all frames of the clip count.
        times: when, instead: any numbers in ascending order, fractions and what lies before or between the known frames too.
        known_times: when the known frames were taken, ascending; 0, 1, 2, ... when None.
        factor: frames that are made for each of the clip, to interpolate; 2 when None.
        trajectories: how many different answers.
        start: the first known frame of the clip.
        number: which clip of moving-digits.
        seed: names the answers.
        batch: trajectories at a time.
        report: told of progress, and of what was done to the clip.

    Raises:
        ConfigError: the run cannot do it, a value is out of range, or times are out of order.
        DataError: the clip cannot be read, or has too few frames.
        RunError: it is not a run.
    """
    recipe = recipe_of(run)
    spec = check_times(
        recipe, task, frames=frames, times=times, known_times=known_times, factor=factor, trajectories=trajectories,
        start=start, seed=seed, batch=batch, **foreign,
    )  # fmt: skip
    check_given(task, clip, number)
    report = report or Quiet()
    n = (spec.window if task == "generate" else spec.frames) if frames is None else frames

    import torch

    from unveil.data.clips import FPS
    from unveil.tasks.video_clip import Given, read_known, read_whole

    run = open_run(run)
    model, shape = run.model, shape_of(recipe, run.path)
    count = spec.known if known_times is None else len(known_times)
    if task == "interpolate" and clip is not None:
        given = read_whole(recipe, shape, clip, start, spec.window, number, report)
        count = 0 if given.frames is None else len(given.frames)
    elif task == "generate":
        given, count = Given(None, None, FPS), 0
    else:
        ahead = 0 if times is not None or known_times is not None else n
        given = read_known(recipe, shape, clip, count, 0, ahead, task, start, number, report)
    clock = torch.arange(count).double() if known_times is None else torch.tensor(known_times).double()
    rate = 1 if task != "interpolate" or times is not None else _FACTOR if factor is None else factor
    at = torch.tensor(times).double() if times is not None else _usual(task, clock, n, rate)
    told = None if given.frames is None else given.frames.to(model.device)[None]
    made = []
    with report.bar(f"{task}: {len(at)} frames") as progress:
        for rows, streams, tell in batches(range(trajectories), batch, seed, progress):
            if told is None:
                made.append(model.render(model.draw(len(rows), streams), at).cpu())
                continue
            each = told.expand(len(rows), *[-1] * 4)
            options: dict[str, Any] = {"generator": streams, "progress": tell, "mean": trajectories == 1}
            if task == "interpolate":
                made.append(model.along(each, at, **options).cpu())
            else:
                made.append(model.frames_at(each, at, times=clock, **options).cpu())
    x = torch.cat(made)
    fps = given.fps * rate
    if given.frames is None or task == "interpolate":
        return Footage(x, (), fps)
    return _in_order(replace(given, fps=fps), x, clock, at)


def _usual(task: str, clock: "Tensor", n: int, factor: int) -> "Tensor":
    """The times of a task when nobody names any."""
    import torch

    if task == "interpolate":
        return torch.arange((len(clock) - 1) * factor + 1).double() / factor
    if task == "past":
        return clock[0] + torch.arange(-n, 0).double()
    return (clock[-1] if len(clock) else -1) + torch.arange(1, n + 1).double()


def _in_order(given: Any, made: "Tensor", clock: "Tensor", at: "Tensor") -> Footage:
    """Known frames and those that were made in the order of time, the known one first where both are of one time."""
    import torch

    order = torch.cat([clock, at]).argsort(stable=True)
    whole = torch.cat([given.frames[None].expand(len(made), *[-1] * 4), made], 1)[:, order]
    known = tuple(place for place, row in enumerate(order.tolist()) if row < len(clock))
    return Footage(whole, known, given.fps, given.truth, compared(whole, known, given.truth))
