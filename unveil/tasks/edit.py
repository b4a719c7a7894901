"""Edit pictures with a model of one picture: the chains start from what the user made, and end at what it knows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_amount, check_seed, check_whole
from unveil.recipes.choices import either, near
from unveil.recipes.schema import Recipe
from unveil.recipes.single_image import SingleImageSpec
from unveil.tasks.edit_tasks import TASKS
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of
from unveil.tasks.sides import check_pixels, check_sides

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.tasks.edit_inputs import Canvas

COLOURS, MOST_COLOURS = 12, 256
FRAMES = 60
_GROWN_AT = 250
"""The size of picture for which masks grow by as many pixels as is written below."""
_EDGE = 5.0
_DETAIL = 0.4
"""How much of the model's noise for details edits take where their starts have noise: all of it frays what was given."""


_ASKED = {
    "mask": "a mask", "scale": "a scale", "n": "n", "noise": "noise", "factor": "a factor", "size": "a size",
    "frames": "frames", "colours": "colours", "keep_light": "keep_light", "keep_size": "keep_size",
}  # fmt: skip
_UNSET: dict[str, Any] = {"n": 1, "keep_light": False, "keep_size": False}


@dataclass(frozen=True)
class Edited:
    """What an edit made.

    Attributes:
        images: (n, C, H, W) in [-1, 1]; for "animate" the frames.
        given: the picture as it was worked on, (C, H', W').
        scales: where the chains started, one for each n of the images; empty where they start at none.
        finest: the last scale there is.
        notes: what else a user should know.
    """

    images: "Tensor" = field(repr=False)
    given: "Tensor" = field(repr=False)
    scales: tuple[int, ...] = ()
    finest: int = 0
    notes: tuple[str, ...] = ()

    @property
    def panels(self) -> "list[Tensor]":
        """What was given, then what was made, (C, H, W) each."""
        return [self.given, *self.images]


def check_editing(recipe: Recipe, task: str, *, image: object = None, **asked: Any) -> None:
    """Refuse what cannot be edited so, before torch is loaded.

    Raises:
        ConfigError: a run that is no model of one picture, an unknown task, or options that it does not take.
    """
    if not isinstance(recipe.model, SingleImageSpec):
        raise ConfigError(
            f"The run is a {recipe.model.kind}, and pictures are edited with a model of one picture: train one with "
            "unveil train single-image --data PICTURE. Diffusions move pictures with unveil refine."
        )
    if task not in TASKS:
        raise ConfigError(f"There is no task {task!r}{near(task, TASKS, 1)} Known are {either(list(TASKS))}.")
    takes = TASKS[task].takes
    given = [name for name, value in asked.items() if value != _UNSET.get(name)]
    wrong = next((name for name in given if name not in takes), None)
    if wrong is not None:
        fits = either([name for name, other in TASKS.items() if wrong in other.takes])
        raise ConfigError(f"The task {task} takes no {wrong.replace('_', '-')}; that is for {fits}.")
    if image is None and not TASKS[task].own:
        raise ConfigError(f"The task {task} needs a picture: {TASKS[task].says}. Give the picture after the run.")
    for name, needed in (("factor", "super-resolve"), ("size", "resize")):
        if task == needed and asked.get(name) is None:
            raise ConfigError(
                f"The task {task} needs {_ASKED[name]}: " + ("--factor 2." if name == "factor" else "--size HxW.")
            )
    _check_numbers(task, **asked)


def _check_numbers(
    task: str,
    *,
    n: int = 1,
    noise: float | None = None,
    scale: int | str | None = None,
    factor: float | None = None,
    size: tuple[int, int] | None = None,
    frames: int | None = None,
    colours: int | None = None,
    **_: Any,
) -> None:
    check_whole("n", n)
    if noise is not None:
        check_amount("noise", noise)
    if scale not in (None, "all"):
        check_whole("scale", scale, 0)
    if scale == "all" and task == "animate":
        raise ConfigError("The task animate makes one clip; give one scale.")
    if factor is not None and not (isfinite(factor) and factor > 1):
        raise ConfigError(f"A factor of {factor:g} enlarges nothing; it must be above 1, such as 2.")
    check_sides(size)
    if frames is not None:
        check_whole("frames", frames)
    if colours is not None:
        check_whole("colours", colours, 0)
        if colours > MOST_COLOURS:
            raise ConfigError(
                f"colours is {colours}; it must be {MOST_COLOURS} or less, or 0 to leave them as they are."
            )
    if n > 1 and not _added(task, noise) and task != "inpaint" and not (task == "resize" and scale == 0):
        raise ConfigError(
            f"Without noise the task {task} has one answer, and {n} were asked for; add noise, such as --noise 0.1."
        )


def edit(
    run: Run | str | Path,
    image: "str | Path | Tensor | None",
    task: str,
    *,
    mask: "str | Path | Tensor | None" = None,
    scale: int | str | None = None,
    n: int = 1,
    noise: float | None = None,
    factor: float | None = None,
    size: tuple[int, int] | None = None,
    frames: int | None = None,
    colours: int | None = None,
    keep_light: bool = False,
    keep_size: bool = False,
    seed: int = 0,
    report: Report | None = None,
) -> Edited:
    """Edit a picture with a model of one picture.

    Args:
        run: the run of a model of one picture.
        image: a file or (C, H, W) in [-1, 1]; None takes the run's own picture, for the tasks that allow it.
        task: "paint", "harmonize", "edit", "style", "super-resolve", "inpaint", "resize" or "animate".
        mask: of the size of the picture, white (1) where it was changed, or for "inpaint" where it is to be filled. Without
            one, what was changed is found by comparing with the run's own picture, and the hole is that of the training.
        scale: where chains start: 1 is freest, the finest nearest to what is given; "all" tries all of them. What suits the
            task when None.
        n: how many results.
        noise: standard deviation of what is added to each start, so that results differ; for "animate" how much moves. When
            None 0.03 for "paint" and "animate" (0.3 where that starts at scale 0), 0.02 for "edit", "harmonize" and
            "style", and nothing for "resize".
        factor: of "super-resolve", above 1.
        size: of "resize", (height, width).
        frames: of "animate".
        colours: of "paint" and "style": of how many colours the run's picture is thought to be made, to which those of what
            is given are matched; 0 leaves its own. When None 12 for "paint", and "style" moves their mean and spread alone.
        keep_light: of "style": keep the light and dark of the picture, and take the colours alone.
        keep_size: enlarge the result to the size of the picture where it is larger than what the run has learned.
        seed: names all that is random.
        report: told of progress.

    Raises:
        ConfigError: a value out of range, an option that the task does not take, or a run that is no model of one picture.
        DataError: a picture is missing or damaged.
        RunError: nothing of the run is trained yet.
        ShapeError: a mask of another size.

    Source: Zheng, Xie and Li (2021), CVPR; the tasks are those of Shaham et al. (2019), arXiv:1905.01164.
    """
    asked = {
        "mask": mask, "scale": scale, "n": n, "noise": noise, "factor": factor, "size": size, "frames": frames,
        "colours": colours, "keep_light": keep_light, "keep_size": keep_size,
    }  # fmt: skip
    recipe = recipe_of(run)
    check_seed(seed)
    check_editing(recipe, task, image=image, **asked)

    from unveil.core.random import Streams
    from unveil.data.decoding import inspect_image
    from unveil.tasks.edit_inputs import Canvas

    for file in (image, mask):
        if isinstance(file, str | Path):
            inspect_image(file)  # a file that is missing is told before anything is loaded
    run = open_run(run)
    model = run.model
    canvas = Canvas.of(model, image, task, keep_size=keep_size)
    scales: tuple[int, ...] = ()
    added = _added(task, noise)
    with (report or Quiet()).bar(task) as progress:
        canvas.progress = progress
        match task:
            case "super-resolve":
                assert factor is not None
                check_pixels(*(factor * side for side in canvas.whole.shape[1:]))
                own = None if image is None else canvas.whole[None]
                made = model.super_resolve(own, factor, progress=progress)
            case "inpaint":
                hole = canvas.hole(mask)
                made = model.inpaint(
                    canvas.small[None], hole[None, None], n=n, generator=Streams(seed, n), progress=progress
                )
                made = canvas.restored(made, hole, keep_size=keep_size)
            case "animate":
                scales = (_start(model, task, scale)[0],)
                canvas.check_own()
                moves = {"strength": added}
                if noise is None and scales[0] == 0:
                    moves = {}  # the model's own, which is more, as the chains of scale 0 are long
                made = model.animate(
                    frames or FRAMES, start_scale=scales[0], generator=Streams(seed, 1), progress=progress, **moves
                )
            case _:
                scales = _start(model, task, scale)
                options: dict[str, Any] = {
                    "n": n,
                    "noise": added,
                    "size": size,
                    "seed": seed,
                    "gentle": TASKS[task].gentle and not added,  # noise is mended by whole chains alone
                    "progress": progress,
                }
                made = _injected(model, _coloured(canvas, task, colours), scales, **options)
                made = _finished(canvas, task, made, mask=mask, keep_light=keep_light, keep_size=keep_size)
    large = task == "super-resolve" or made.shape[-2:] == canvas.whole.shape[-2:]
    given = canvas.whole if large else canvas.small
    finest = len(model.sizes_for()) - 1
    return Edited(made.clamp(-1, 1).cpu(), given.cpu(), scales, finest, tuple(canvas.notes))


def _added(task: str, noise: float | None) -> float:
    """The noise that is asked for, or what suits the task."""
    return TASKS[task].noise if noise is None else noise


def _start(model: Any, task: str, scale: int | str | None) -> tuple[int, ...]:
    """The scales at which chains start."""
    finest = len(model.sizes_for()) - 1
    if scale == "all":
        if finest < 1:
            raise ConfigError(
                "Of this run one scale is trained, and chains that start from a picture need two; train on."
            )
        return tuple(range(1, finest + 1))
    found = TASKS[task].start(finest) if scale is None else int(scale)
    model.check_scale(found, 0 if task in ("resize", "animate") else 1)
    return (found,)


def _coloured(canvas: "Canvas", task: str, colours: int | None) -> "Tensor":
    """Where chains start: what is given, for some tasks in the colours of the run's picture, which chains do not mend."""
    if task == "style" and colours is None:
        return canvas.recoloured()
    if task in ("paint", "style"):
        return canvas.matched(COLOURS if colours is None else colours)
    return canvas.small


def _injected(
    model: Any,
    start: "Tensor",
    scales: tuple[int, ...],
    *,
    n: int,
    noise: float,
    size: tuple[int, int] | None,
    seed: int,
    gentle: bool,
    progress: Callable[[int, int], None],
) -> "Tensor":
    """Chains from a picture (C, H, W), n for each scale; at scale 0 from noise alone."""
    import torch

    from unveil.core.random import Streams

    size = size or (start.shape[1], start.shape[2])
    made = []
    for place, scale in enumerate(scales):

        def told(done: int, total: int, place: int = place) -> None:
            progress(place * total + done, len(scales) * total)

        common = {"size": size, "inject_noise": noise, "generator": Streams(seed, n), "progress": told}
        if scale == 0:
            made.append(model.sample(n, **common))
        else:
            given = start.expand(n, -1, -1, -1)
            made.append(model.inject(given, scale, gentle=gentle, temperature=_DETAIL, **common))
    return torch.cat(made)


def _finished(
    canvas: "Canvas",
    task: str,
    made: "Tensor",
    *,
    mask: "str | Path | Tensor | None",
    keep_light: bool,
    keep_size: bool,
) -> "Tensor":
    """What follows the chains: the light that is kept, the size, and the blending with what was not to change."""
    from unveil.models.single_image_ebm.editing import keep_light as lit

    if keep_light:
        made = lit(made, canvas.small)
    grows = TASKS[task].grows
    if grows is None:
        return canvas.enlarged(made) if keep_size else made
    share = max(canvas.small.shape[1:]) / _GROWN_AT
    return canvas.blended(made, mask, grow=grows * share, sigma=_EDGE * share, keep_size=keep_size)
