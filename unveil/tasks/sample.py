"""Draw samples from a run: sample i of a seed is the same picture at any batch size and on any number of processes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_amount, check_seed, check_whole
from unveil.recipes.choices import CHAINS, CODE_SAMPLERS, Sampler, either, near
from unveil.recipes.codec import CodecDiffusionSpec
from unveil.recipes.distillation import DistilledSpec
from unveil.recipes.hat import HatSpec
from unveil.recipes.multires_cnf import MultiResCNFSpec
from unveil.recipes.ode_video import ODEVideoSpec
from unveil.recipes.schema import DiffusionSpec, Recipe, RestorationSpec
from unveil.recipes.single_image import SingleImageSpec
from unveil.recipes.video import VideoDiffusionSpec
from unveil.tasks.batches import batches
from unveil.tasks.flow_parts import tell_untrained
from unveil.tasks.labels import class_numbers
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of, shape_of
from unveil.tasks.sides import check_sides

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.training.processes import Processes

BATCH = 64
AT_ONCE = 2**24
"""Pixels of a size that was asked for, drawn at a time at most: chains need several times their memory."""
STAGES = ("proposal", "kernel", "one", "two")
MAKE_NONE = {
    "classifier": "measures pictures",
    "codec": "makes pictures small",
    "denoiser": "cleans pictures",
    "pose-ik": "poses bodies",
}
"""Kinds of models that draw no samples, and what they do instead."""


def check_sampling(
    recipe: Recipe,
    n: int,
    *,
    steps: int | None = None,
    sampler: str | None = None,
    seed: int = 0,
    batch: int = BATCH,
    label: int | str | Sequence[int | str] | None = None,
    guidance: float | None = None,
    temperature: float = 1.0,
    size: Sequence[int] | None = None,
    stage: str | None = None,
) -> list[int]:
    """Refuse what a model of this recipe cannot sample, before anything is loaded.

    Returns:
        The numbers of the classes that were asked for.

    Raises:
        ConfigError: a number out of range, or labels that the model does not know.
    """
    spec = recipe.model
    unheeded: dict[str, Any] = {"sampler": sampler, "guidance": guidance, "temperature": temperature}
    if isinstance(spec, RestorationSpec):
        levels = spec.degradation.steps
        how = f"A restoration model samples in steps of its own, one for each of its {levels} levels,"
        _check_takes_none(how, steps=steps, **unheeded)
    elif isinstance(spec, SingleImageSpec):
        _check_takes_none("A model of a single image samples by Langevin chains", sampler=sampler, guidance=guidance)
        if not spec.detail_noise:
            _check_takes_none(
                "This model was trained without noise for details (model.detail_noise)", temperature=temperature
            )
    elif isinstance(spec, MultiResCNFSpec):
        _check_takes_none(
            "A flow solves an equation by itself (model.test_solver)", steps=steps, sampler=sampler, guidance=guidance
        )
    elif isinstance(spec, ODEVideoSpec):
        _check_takes_none(
            "A path solves an equation by itself (model.test_solver)", steps=steps, sampler=sampler, guidance=guidance
        )
        if not spec.variational:
            raise ConfigError(
                "This model of video knows no prior, so it makes nothing from nothing; give it a clip (unveil video), or train "
                "a variational one, such as moving-digits-ode-variational."
            )
    elif isinstance(spec, HatSpec):
        _check_takes_none("A Hat Diffusion EBM samples by Langevin chains", **unheeded)
    elif isinstance(spec, DistilledSpec):
        _check_distilled(spec, steps=steps, sampler=sampler, guidance=guidance)
    elif isinstance(spec, CodecDiffusionSpec):
        _check_codes(spec, steps=steps, sampler=sampler, guidance=guidance)
    elif spec.kind in MAKE_NONE:
        raise ConfigError(
            f"The run is a {spec.kind}, which {MAKE_NONE[spec.kind]} and makes none; give the run of a diffusion or of a "
            "restoration model."
        )
    elif not isinstance(spec, DiffusionSpec | VideoDiffusionSpec):
        _check_takes_none("This model samples in a way of its own", steps=steps, **unheeded)
    _check_stage(spec, stage)
    _check_size(recipe, size)
    for name, count in (("n", n), ("batch", batch), ("steps", 1 if steps is None else steps)):
        check_whole(name, count)
    check_seed(seed)
    check_amount("temperature", temperature)
    check_amount("guidance", 1.0 if guidance is None else guidance)
    if isinstance(spec, DiffusionSpec | VideoDiffusionSpec):
        _check_walk(recipe, spec, steps=steps, sampler=sampler, guidance=guidance)
    return class_numbers(recipe, label)


def _check_takes_none(how: str, **options: Any) -> None:
    """Refuse what a model does not heed that samples in a way of its own."""
    usual = {"temperature": 1.0}
    given = next((name for name, value in options.items() if value not in (None, usual.get(name))), None)
    if given is not None:
        raise ConfigError(f"{how} and takes no {given}; leave it out.")


def _check_distilled(spec: DistilledSpec, *, steps: int | None, sampler: str | None, guidance: float | None) -> None:
    """Refuse other steps than were distilled, and to draw from noise with a part of a schedule."""
    if spec.last < 1:
        raise ConfigError(
            f"Only the first part of the schedule was distilled (model.until={spec.until:g}), so there is no way from noise "
            "to pictures; move pictures that there are with unveil refine, or distil all of it, without --until."
        )
    if steps not in (None, spec.steps) or sampler not in (None, "ddim") or guidance not in (None, 1.0):
        raise ConfigError(
            f"This run was distilled to {spec.steps} {'step' if spec.steps == 1 else 'steps'} of ddim without guidance, and "
            "knows no other way; leave steps, sampler and guidance out."
        )


def _check_codes(spec: CodecDiffusionSpec, *, steps: int | None, sampler: str | None, guidance: float | None) -> None:
    """Refuse a sampler, steps or guidance that a diffusion on codes cannot have."""
    if sampler is not None and sampler not in CODE_SAMPLERS:
        raise ConfigError(f"A diffusion on codes samples by {either(CODE_SAMPLERS)}, not by {sampler!r}.")
    length = getattr(spec.schedule, "steps", None)
    if length is not None and (steps or 1) > length:
        raise ConfigError(f"{steps} steps were asked for, and this model's chain has {length}; take 1 to {length}.")
    if guidance not in (None, 1.0):
        raise ConfigError("A diffusion on codes knows no labels, so guidance has none to follow; leave it out.")


def _check_size(recipe: Recipe, size: Sequence[int] | None) -> None:
    """Refuse a size for models whose pictures have only one."""
    if size is None:
        return
    check_sides(size)
    if not isinstance(recipe.model, SingleImageSpec):
        own = recipe.data.size
        what = f"all its samples have {own[0]} x {own[1]} pixels" if own else "its samples have a size of their own"
        raise ConfigError(
            f"The run is a {recipe.model.kind}, and {what}; leave the size out. Models of a single image (unveil train "
            "single-image) draw any size."
        )


def _check_stage(spec: Any, stage: str | None) -> None:
    """Refuse a part of a model that has no parts, or an unknown one."""
    if stage is None:
        return
    if not isinstance(spec, HatSpec):
        raise ConfigError(f"The run is a {spec.kind}, which samples in one piece; --stage is for Hat Diffusion EBMs.")
    if stage not in STAGES:
        raise ConfigError(f"There is no stage {stage!r}{near(str(stage), STAGES, 1)} Known are {either(STAGES)}.")


def _check_walk(
    recipe: Recipe,
    spec: DiffusionSpec | VideoDiffusionSpec,
    *,
    steps: int | None,
    sampler: str | None,
    guidance: float | None,
) -> None:
    """Refuse a sampler, steps or guidance that a diffusion cannot have, and samples of video that must be told frames."""
    if isinstance(spec, VideoDiffusionSpec) and "generate" not in spec.tasks:
        raise ConfigError(
            "This model of video was never trained without known frames, so it makes nothing from nothing; give it a clip "
            "(unveil video), or train with model.mask_past=0.5 and model.mask_future=0.5."
        )
    check_steps(recipe, spec, steps=steps, sampler=sampler)
    if guidance not in (None, 1.0):
        if isinstance(spec, VideoDiffusionSpec) or not spec.labels:
            raise ConfigError(
                "This model knows no labels, so guidance has none to follow; train with model.labels=true."
            )
        if not spec.label_dropout:
            raise ConfigError(
                "Guidance needs a model that has also seen data without labels; train with model.label_dropout=0.1, or "
                "leave guidance at 1."
            )


def check_steps(
    recipe: Recipe, spec: DiffusionSpec | VideoDiffusionSpec, *, steps: int | None, sampler: str | None
) -> None:
    """Refuse a sampler that is not known, or more steps than its chain has.

    Raises:
        ConfigError: one of them cannot be.
    """
    name, known = recipe.sampling.sampler if sampler is None else sampler, get_args(Sampler)
    if name not in known:
        raise ConfigError(f"There is no sampler {name!r}{near(str(name), known, 1)} Known are {either(known)}.")
    length = getattr(spec.schedule, "steps", None)
    if name in CHAINS and length is not None and (steps or 1) > length:
        raise ConfigError(
            f"{steps} steps were asked of {name}, and this model's chain has {length}; take 1 to {length}."
        )


def walk_of(recipe: Recipe, *, steps: int | None = None, sampler: str | None = None) -> dict[str, Any]:
    """What a model of a recipe is told when it samples: a diffusion how to walk, others nothing."""
    if not isinstance(recipe.model, DiffusionSpec | VideoDiffusionSpec | CodecDiffusionSpec):
        return {}
    return {"steps": steps or recipe.sampling.steps, "sampler": sampler or recipe.sampling.sampler}


def sample(
    run: Run | str | Path,
    n: int = 64,
    *,
    steps: int | None = None,
    sampler: str | None = None,
    seed: int = 0,
    batch: int = BATCH,
    label: int | str | Sequence[int | str] | None = None,
    guidance: float | None = None,
    temperature: float = 1.0,
    size: Sequence[int] | None = None,
    stage: str | None = None,
    report: Report | None = None,
    **options: Any,
) -> "Tensor":
    """Draw samples.

    Under torchrun every process draws its share, and all return the whole.

    Args:
        run: a run, or its folder.
        n: how many samples.
        steps: of the sampler; the recipe's when None. Restoration models take neither this nor the next.
        sampler: its name; the recipe's when None.
        seed: names the samples, 0 to 2^63 - 1.
        batch: samples drawn at a time; it does not change them.
        label: a class by its number or its name, one for all or some that the samples take in turn; for models trained
            with labels, which take all of them in turn when None.
        guidance: above 1 follows the label more closely; the recipe's when None.
        temperature: scales the noise at the start; of categorical codes it divides their logits instead, and 0 takes the
            likeliest code; of a single image it scales the noise that details are drawn from.
        size: height and width of the pictures in pixels; only models of a single image draw other sizes than their own.
        stage: of a Hat Diffusion EBM, where to stop: "proposal", "kernel", "one" or "two"; the last that was trained when
            None. Samples of one seed begin with the same latents whatever the stage.
        report: told of progress.
        options: what else the model's `sample` takes, such as clip or eta.

    Returns:
        (n, C, H, W) in [-1, 1], points (n, d), or videos (n, T, C, H, W) of one block, on the CPU.

    Raises:
        ConfigError: a value out of range.
        RunError: it is not a run.
    """
    recipe = recipe_of(run)
    labels = check_sampling(
        recipe,
        n,
        steps=steps,
        sampler=sampler,
        seed=seed,
        batch=batch,
        label=label,
        guidance=guidance,
        temperature=temperature,
        size=size,
        stage=stage,
    )

    import torch

    from unveil.training.processes import Processes

    if not labels and isinstance(recipe.model, DiffusionSpec | DistilledSpec) and recipe.model.labels:
        labels = list(range(recipe.data.classes or 0))
    run = open_run(run)
    tell_untrained(run, report or Quiet())
    defaults = recipe.sampling
    device = run.device
    here = Processes.join(device)
    mine = range(n)[here.rank * n // here.world : (here.rank + 1) * n // here.world]
    if size is not None:
        batch = max(1, min(batch, AT_ONCE // (size[0] * size[1])))
    walk = walk_of(recipe, steps=steps, sampler=sampler)
    if temperature != 1:
        walk["temperature"] = temperature
    if steps is not None and isinstance(recipe.model, SingleImageSpec | HatSpec):
        walk["steps"] = steps
    if stage is not None:
        walk["stage"] = stage
    if size is not None:
        walk["size"] = (int(size[0]), int(size[1]))
    drawn = []
    with (report or Quiet()).bar("sampling") as progress:
        for rows, streams, tell in batches(mine, batch, seed, progress):
            if labels:
                chosen = torch.tensor([labels[i % len(labels)] for i in rows], device=device)
                options |= {"label": chosen}
                if isinstance(recipe.model, DiffusionSpec):
                    options |= {"guidance": defaults.guidance if guidance is None else guidance}
            x = run.model.sample(len(rows), generator=streams, progress=tell, **walk, **options)
            drawn.append(x.cpu())
    shape = shape_of(run.recipe, run.path)
    shape = shape if size is None else (*shape[:-2], *size)
    return _gather(torch.cat(drawn) if drawn else torch.empty(0, *shape), n, here)


def _gather(x: "Tensor", n: int, here: "Processes") -> "Tensor":
    """Put the shares of all processes together, in order; every process gets the whole."""
    if here.world == 1:
        return x
    import torch
    import torch.distributed as dist

    room = x.new_zeros(-(-n // here.world), *x.shape[1:])  # shares differ by one sample at most
    room[: len(x)] = x
    rooms = [torch.empty_like(room, device=here.device) for _ in range(here.world)]
    dist.all_gather(rooms, room.to(here.device))
    sizes = [(rank + 1) * n // here.world - rank * n // here.world for rank in range(here.world)]
    return torch.cat([part[:size].cpu() for part, size in zip(rooms, sizes, strict=True)])
