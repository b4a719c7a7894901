"""Draw samples from a run: sample i of a seed is the same picture at any batch size and on any number of processes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_amount, check_seed, check_whole
from unveil.recipes.choices import CHAINS, Sampler, either, near
from unveil.recipes.schema import ClassifierSpec, DiffusionSpec, Recipe, RestorationSpec
from unveil.tasks.labels import class_numbers
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, load, read_recipe, shape_of

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.training.processes import Processes

BATCH = 64


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
) -> list[int]:
    """Refuse what a model of this recipe cannot sample, before anything is loaded.

    Returns:
        The numbers of the classes that were asked for.

    Raises:
        ConfigError: a number out of range, or labels that the model does not know.
    """
    spec = recipe.model
    if isinstance(spec, RestorationSpec):
        _check_no_walk(spec, steps=steps, sampler=sampler, guidance=guidance, temperature=temperature)
    elif not isinstance(spec, DiffusionSpec):
        does = "measures pictures" if isinstance(spec, ClassifierSpec) else "cleans pictures"
        raise ConfigError(
            f"The run is a {spec.kind}, which {does} and makes none; give the run of a diffusion or of a restoration model."
        )
    for name, count in (("n", n), ("batch", batch), ("steps", 1 if steps is None else steps)):
        check_whole(name, count)
    check_seed(seed)
    check_amount("temperature", temperature)
    check_amount("guidance", 1.0 if guidance is None else guidance)
    if isinstance(spec, DiffusionSpec):
        _check_walk(recipe, spec, steps=steps, sampler=sampler, guidance=guidance)
    return class_numbers(recipe, label)


def _check_no_walk(spec: RestorationSpec, **options: Any) -> None:
    """Refuse what only a walk of many steps could heed."""
    usual = {"temperature": 1.0}
    given = next((name for name, value in options.items() if value not in (None, usual.get(name))), None)
    if given is not None:
        raise ConfigError(
            f"A restoration model samples in steps of its own, one for each of its {spec.degradation.steps} levels, and "
            f"takes no {given}; leave it out."
        )


def _check_walk(
    recipe: Recipe, spec: DiffusionSpec, *, steps: int | None, sampler: str | None, guidance: float | None
) -> None:
    """Refuse a sampler, steps or guidance that a diffusion cannot have."""
    name, known = recipe.sampling.sampler if sampler is None else sampler, get_args(Sampler)
    if name not in known:
        raise ConfigError(f"There is no sampler {name!r}{near(str(name), known, 1)} Known are {either(known)}.")
    length = getattr(spec.schedule, "steps", None)
    if name in CHAINS and length is not None and (steps or 1) > length:
        raise ConfigError(
            f"{steps} steps were asked of {name}, and this model's chain has {length}; take 1 to {length}."
        )
    if guidance not in (None, 1.0):
        if not spec.labels:
            raise ConfigError(
                "This model knows no labels, so guidance has none to follow; train with model.labels=true."
            )
        if not spec.label_dropout:
            raise ConfigError(
                "Guidance needs a model that has also seen data without labels; train with model.label_dropout=0.1, or "
                "leave guidance at 1."
            )


def walk_of(recipe: Recipe, *, steps: int | None = None, sampler: str | None = None) -> dict[str, Any]:
    """What a model of a recipe is told when it samples: a diffusion how to walk, a restoration model nothing."""
    if not isinstance(recipe.model, DiffusionSpec):
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
        temperature: scales the noise at the start.
        report: told of progress.
        options: what else the model's `sample` takes, such as clip or eta.

    Returns:
        (n, C, H, W) in [-1, 1], or points (n, d), on the CPU.

    Raises:
        ConfigError: a value out of range.
        RunError: it is not a run.
    """
    recipe = run.recipe if isinstance(run, Run) else read_recipe(run)
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
    )

    import torch

    from unveil.core.random import Streams
    from unveil.training.processes import Processes

    if not labels and isinstance(recipe.model, DiffusionSpec) and recipe.model.labels:
        labels = list(range(recipe.data.classes or 0))
    run = run if isinstance(run, Run) else load(run)
    defaults = recipe.sampling
    device = next(run.model.parameters()).device
    here = Processes.join(device)
    mine = range(n)[here.rank * n // here.world : (here.rank + 1) * n // here.world]
    chunks = [mine[start : start + batch] for start in range(0, len(mine), batch)]
    walk = walk_of(recipe, steps=steps, sampler=sampler)
    if temperature != 1:
        walk["temperature"] = temperature
    drawn = []
    with (report or Quiet()).bar("sampling") as progress:
        for done, chunk in enumerate(chunks):
            if labels:
                chosen = torch.tensor([labels[i % len(labels)] for i in chunk], device=device)
                options |= {"label": chosen, "guidance": defaults.guidance if guidance is None else guidance}
            x = run.model.sample(
                len(chunk),
                generator=Streams(seed, chunk),
                progress=lambda step, steps, done=done: progress(done * steps + step, len(chunks) * steps),
                **walk,
                **options,
            )
            drawn.append(x.cpu())
    return _gather(torch.cat(drawn) if drawn else torch.empty(0, *shape_of(run.recipe, run.path)), n, here)


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
