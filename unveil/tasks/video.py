"""Video from a run: what comes after a clip, what came before it, what lies between its frames, and clips from nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, get_args

from unveil.core.errors import ConfigError
from unveil.core.files import shown
from unveil.core.numbers import check_seed, check_whole
from unveil.data.sources import check_source
from unveil.recipes import Recipe
from unveil.recipes.video import VideoDiffusionSpec
from unveil.tasks.batches import batches
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of, shape_of
from unveil.tasks.sample import check_steps, walk_of
from unveil.tasks.video_choices import BATCH, Task

if TYPE_CHECKING:
    from torch import Tensor

VERBS = {"predict": "predict frames", "past": "recall the past", "interpolate": "interpolate", "generate": "generate"}
_TRAINED = {
    "predict": "model.past above 0, and model.mask_future=0.5 where it has a future",
    "past": "model.future above 0, and model.mask_past=0.5 where it has a past",
    "interpolate": "model.past and model.future above 0, neither of them always masked",
    "generate": "model.mask_past=0.5 and model.mask_future=0.5",
}


class VideoModel(Protocol):
    """What a model of video answers to. Clips are (B, T, C, H, W) in [-1, 1]; row i draws from its own stream.

    Attributes:
        p, f: how many frames it is told of the past, and of the future.
        k: how many frames lie in a gap that it fills.
        tasks: what it can do.
    """

    p: int
    k: int
    f: int
    tasks: Sequence[str]

    def predict(self, past: "Tensor", n: int, **walk: Any) -> "Tensor":
        """The n frames after a past."""
        ...

    def predict_past(self, future: "Tensor", n: int, **walk: Any) -> "Tensor":
        """The n frames before a future."""
        ...

    def interpolate(self, past: "Tensor", future: "Tensor", **walk: Any) -> "Tensor":
        """The k frames between."""
        ...

    def generate(self, batch: int, n: int, **walk: Any) -> "Tensor":
        """Clips of n frames from nothing."""
        ...


class LongVideoModel(VideoModel, Protocol):
    """One that knows frames at several spacings, and makes long clips from the coarsest to the finest."""

    def long_video(self, n: int, *, past: "Tensor | None", batch: int, **walk: Any) -> "Tensor":
        """Clips of n frames, after a past if there is one."""
        ...


@dataclass(frozen=True)
class Footage:
    """Clips that a model made.

    Attributes:
        clips: (trajectories, T, C, H, W) in [-1, 1], on the CPU: the frames that were given, and those that were made.
        known: which of the T frames were given.
        fps: frames a second.
        truth: (T, C, H, W), the clip itself at the same frames, where it has them all.
        psnr: where there is a truth: of the frames that were made, of the best trajectory, in dB; and beside it that of
            repeating the nearest known frame.
    """

    clips: "Tensor" = field(repr=False)
    known: tuple[int, ...]
    fps: float
    truth: "Tensor | None" = field(default=None, repr=False)
    psnr: tuple[float, float] | None = None

    @property
    def made(self) -> "Tensor":
        """The frames that were made, (trajectories, n, C, H, W)."""
        return self.clips[:, [i for i in range(self.clips.shape[1]) if i not in self.known]]

    def strip(self, most: int | None = 16, rows: int = 8) -> "Tensor":
        """The first trajectories as one picture (3, H', W'), known frames with a blue border, below the clip itself."""
        import torch

        from unveil.data import strip

        clips = self.clips[:rows]
        return strip(clips if self.truth is None else torch.cat([self.truth[None], clips]), known=self.known, most=most)


def check_video(
    recipe: Recipe,
    task: str,
    *,
    frames: int | None = None,
    trajectories: int = 1,
    start: int = 0,
    seed: int = 0,
    steps: int | None = None,
    sampler: str | None = None,
    sparse: bool = False,
    batch: int = BATCH,
) -> VideoDiffusionSpec:
    """Refuse what a model of this recipe cannot do, before anything is loaded.

    Returns:
        What the model is.

    Raises:
        ConfigError: the run is no model of video, or was not trained for the task, or a number cannot be.
    """
    spec = recipe.model
    if not isinstance(spec, VideoDiffusionSpec):
        raise ConfigError(
            f"The run is a {spec.kind}, which knows nothing of video; train one that does, such as moving-digits-mcvd-concat."
        )
    if task not in get_args(Task):
        raise ConfigError(f"There is no task {task!r}; there are {', '.join(get_args(Task))}.")
    if task not in spec.tasks:
        raise ConfigError(
            f"This run cannot {VERBS[task]}: it was never trained with the frames that are missing then. It can do: "
            f"{', '.join(spec.tasks) or 'nothing'}. Train one with {_TRAINED[task]}."
        )
    for name, value in (("trajectories", trajectories), ("batch", batch), ("frames", frames), ("steps", steps)):
        if value is not None:
            check_whole(name, value)
    check_whole("start", start, 0)
    check_seed(seed)
    check_steps(recipe, spec, steps=steps, sampler=sampler)
    if task == "interpolate" and frames not in (None, spec.frames):
        raise ConfigError(
            f"This run fills gaps of {spec.frames} frames, and {frames} were asked for; leave frames out."
        )
    if sparse and (task not in ("predict", "generate") or not spec.levels):
        raise ConfigError(
            "Frames that are far apart first, and then those between, is for prediction and generation by a model that was "
            "trained on several spacings (model.levels=1 or more)."
        )
    return spec


def check_given(task: Task, clip: str | Path | None, number: int) -> None:
    """Refuse a clip where none is wanted, none where one is, and a number that says nothing of it.

    Raises:
        ConfigError: one of these.
    """
    if (clip is None) != (task == "generate"):
        raise ConfigError(
            "Clips are generated from nothing; leave the clip out, or predict what follows it." if clip is not None
            else f"To {VERBS[task]} a clip is needed; give a video, a gif, a folder of frames, or moving-digits."
        )  # fmt: skip
    check_whole("number", number, 0)
    if clip is not None and check_source(clip).kind != "moving-digits" and number:
        raise ConfigError(
            f"'{shown(clip)}' is one clip, and a number tells clips of moving-digits apart; leave it out."
        )


def video(
    run: Run | str | Path,
    task: Task,
    clip: str | Path | None = None,
    *,
    frames: int | None = None,
    trajectories: int = 1,
    start: int = 0,
    number: int = 0,
    missing: bool = False,
    sparse: bool = False,
    seed: int = 0,
    steps: int | None = None,
    sampler: str | None = None,
    batch: int = BATCH,
    report: Report | None = None,
    **options: Any,
) -> Footage:
    """Make frames that a clip has not, or whole clips.

    Trajectory i of a seed is the same at any batch size and number of trajectories.

    Args:
        run: a run of a model of video, or its folder.
        task: "predict" the frames after those known, recall the "past" before them, "interpolate" those between, or
            "generate" from nothing.
        clip: a video, a gif, an .npz or .npy file, a folder of frames, or moving-digits; none to generate. Frames of
            another size are brought to the model's as in training.
        frames: how many to make; those of a block when None.
        trajectories: how many different answers.
        start: the first known frame, counted from 0.
        number: which clip of moving-digits.
        missing: to interpolate, the frames of the gap are not in the clip, and those after it follow at once; otherwise
            they are left out, and compared with.
        sparse: make frames that are far apart first, and then those between.
        seed: names the answers.
        steps: of the sampler; the recipe's when None.
        sampler: its name; the recipe's when None.
        batch: trajectories at a time; it does not change them.
        report: told of progress, and of what was done to the clip.
        options: what else the model takes, such as clip.

    Raises:
        ConfigError: the run cannot do it, or a value is out of range.
        DataError: the clip cannot be read, or has too few frames.
        RunError: it is not a run.
    """
    recipe = recipe_of(run)
    spec = check_video(
        recipe,
        task,
        frames=frames,
        trajectories=trajectories,
        start=start,
        seed=seed,
        steps=steps,
        sampler=sampler,
        sparse=sparse,
        batch=batch,
    )
    check_given(task, clip, number)
    report = report or Quiet()
    n = spec.frames if frames is None else frames
    known = {"predict": spec.past, "past": spec.future, "interpolate": spec.past + spec.future, "generate": 0}[task]

    import torch

    from unveil.tasks.video_clip import read_known

    run = open_run(run)
    model: VideoModel = run.model
    device = run.device
    gap = 0 if missing or task != "interpolate" else n
    given = read_known(recipe, shape_of(recipe, run.path), clip, known, gap, n, task, start, number, report)
    walk = walk_of(recipe, steps=steps, sampler=sampler) | options
    told = None if given.frames is None else given.frames.to(device)
    made = []
    with report.bar(f"{task}: {n} frames") as progress:
        for rows, streams, tell in batches(range(trajectories), batch, seed, progress):
            walk |= {"generator": streams, "progress": tell}
            each = None if told is None else told[None].expand(len(rows), *[-1] * told.ndim)
            made.append(_make(model, task, each, n, len(rows), spec.past, sparse, walk).cpu())
    x = torch.cat(made).clamp(-1, 1)
    parts = [] if given.frames is None else [given.frames[None].expand(trajectories, *[-1] * given.frames.ndim)]
    before = {"predict": known, "past": 0, "interpolate": spec.past, "generate": 0}[task]
    pieces = [*(part[:, :before] for part in parts), x, *(part[:, before:] for part in parts)]
    clips = torch.cat(pieces, 1)
    which = tuple(i for i in range(clips.shape[1]) if not before <= i < before + n)
    return Footage(clips, which, given.fps, given.truth, compared(clips, which, given.truth))


def _make(
    model: VideoModel,
    task: Task,
    told: "Tensor | None",
    n: int,
    count: int,
    past: int,
    sparse: bool,
    walk: dict[str, Any],
) -> "Tensor":
    """What a model makes of the frames that it is told."""
    if sparse:
        return cast(LongVideoModel, model).long_video(n, past=told, batch=count, **walk)
    if told is None:
        return model.generate(count, n, **walk)
    if task == "interpolate":
        return model.interpolate(told[:, :past], told[:, past:], **walk)
    return model.predict(told, n, **walk) if task == "predict" else model.predict_past(told, n, **walk)


def compared(clips: "Tensor", known: tuple[int, ...], truth: "Tensor | None") -> tuple[float, float] | None:
    """The PSNR of the best trajectory, and of repeating the nearest known frame."""
    if truth is None:
        return None
    from unveil.metrics import best_of, clip_scores, frame_scores

    made = [i for i in range(clips.shape[1]) if i not in known]
    near = [min((abs(frame - i), frame) for frame in known)[1] for i in made]

    def best(x: "Tensor") -> float:
        return best_of(clip_scores(frame_scores(x[None], truth[None, made]))["psnr"], "high").item()

    return best(clips[:, made]), best(truth[None, near])
