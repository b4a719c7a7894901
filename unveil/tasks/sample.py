"""Draw samples from a run: sample i of a seed is the same picture at any batch size and on any number of processes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from unveil.core.errors import ConfigError
from unveil.recipes.choices import CHAINS, Sampler, either, near
from unveil.recipes.schema import DiffusionSpec, Recipe
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
    batch: int = BATCH,
    label: Sequence[int] = (),
    guidance: float | None = None,
) -> None:
    """Refuse what a model of this recipe cannot sample, before anything is loaded.

    Raises:
        ConfigError: a number out of range, or labels for a model that knows none.
    """
    spec = recipe.model
    if not isinstance(spec, DiffusionSpec):
        raise ConfigError(
            f"The run is a {spec.kind}, which measures pictures and makes none; give the run of a diffusion."
        )
    for name, value in (("n", n), ("batch", batch), ("steps", 1 if steps is None else steps)):
        if value < 1:
            raise ConfigError(f"{name} is {value}; it must be 1 or more.")
    name, known = sampler or recipe.sampling.sampler, get_args(Sampler)
    if name not in known:
        raise ConfigError(f"There is no sampler {name!r}{near(name, known, 1)} Known are {either(known)}.")
    length = getattr(spec.schedule, "steps", None)
    if name in CHAINS and length is not None and (steps or 1) > length:
        raise ConfigError(
            f"{steps} steps were asked of {name}, and this model's chain has {length}; take 1 to {length}."
        )
    if not spec.labels and (label or guidance not in (None, 1.0)):
        raise ConfigError("This model knows no labels, so it can follow none; train one with model.labels=true.")
    wrong = [i for i in label if not 0 <= i < (recipe.data.classes or 0)]
    if wrong:
        raise ConfigError(
            f"There is no label {wrong[0]}; this model's labels are 0 to {(recipe.data.classes or 0) - 1}."
        )


def sample(
    run: Run | str | Path,
    n: int = 64,
    *,
    steps: int | None = None,
    sampler: str | None = None,
    seed: int = 0,
    batch: int = BATCH,
    label: int | Sequence[int] | None = None,
    guidance: float | None = None,
    report: Report | None = None,
    **options: Any,
) -> "Tensor":
    """Draw samples.

    Under torchrun every process draws its share, and all return the whole.

    Args:
        run: a run, or its folder.
        n: how many samples.
        steps: of the sampler; the recipe's when None.
        sampler: its name; the recipe's when None.
        seed: names the samples.
        batch: samples drawn at a time; it does not change them.
        label: one for all, or some that the samples take in turn; for models trained with labels, which take all of
            them in turn when None.
        guidance: above 1 follows the label more closely; the recipe's when None.
        report: told of progress.
        options: what else the model's `sample` takes, such as temperature or eta.

    Returns:
        (n, C, H, W) in [-1, 1], on the CPU.

    Raises:
        ConfigError: a value out of range.
        RunError: it is not a run.
    """
    recipe = run.recipe if isinstance(run, Run) else read_recipe(run)
    labels = [label] if isinstance(label, int) else list(label or ())
    check_sampling(recipe, n, steps=steps, sampler=sampler, batch=batch, label=labels, guidance=guidance)

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
    steps = steps or defaults.steps
    drawn = []
    with (report or Quiet()).bar("sampling") as progress:
        for done, chunk in enumerate(chunks):
            if labels:
                chosen = torch.tensor([labels[i % len(labels)] for i in chunk], device=device)
                options |= {"label": chosen, "guidance": defaults.guidance if guidance is None else guidance}
            x = run.model.sample(
                len(chunk),
                steps=steps,
                sampler=sampler or defaults.sampler,
                generator=Streams(seed, chunk),
                progress=lambda step, steps, done=done: progress(done * steps + step, len(chunks) * steps),
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
