"""Teach a run of a diffusion to take fewer steps, down to one: a run of its own comes of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.models.halving import first_steps as first_steps_for
from unveil.models.halving import last_time, rounds
from unveil.recipes import Recipe
from unveil.recipes.distillation import DistilledSpec
from unveil.recipes.schema import DiffusionSpec, SamplingSpec
from unveil.tasks.report import Report
from unveil.tasks.resuming import check_unchanged
from unveil.tasks.run import Run, load, read_recipe
from unveil.tasks.train import Plan, carry_out
from unveil.tasks.train import plan as plan_training

SHARE = 20
"""A round is this many times shorter than the training of the diffusion was."""
SLOWER = 4
"""And its learning rate is this many times lower at the start; it falls to zero."""


def plan(
    run: str | Path,
    *,
    steps: int = 1,
    until: float | None = None,
    first_steps: int | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    round_steps: int | None = None,
    resume: bool = False,
    force: bool = False,
    seed: int | None = None,
    overrides: Sequence[str] = (),
) -> Plan:
    """Decide what to distil and where, without loading torch. Arguments and errors are those of `distil`."""
    taught = read_recipe(run)
    recipe = _recipe(taught, run, steps=steps, until=until, first_steps=first_steps)
    path = Path(out) if out is not None else Path(run).with_name(_named(Path(run).name, steps))
    planned = plan_training(
        recipe, data=data, out=path, resume=resume, force=force, steps=round_steps, seed=seed, overrides=overrides
    )
    if planned.first is not None:
        check_unchanged(path, planned.first, recipe.model_copy(update={"data": planned.first.data}))
        return planned

    def ready(model: Any) -> None:
        model.begin(load(run, device="cpu").model)

    return replace(planned, ready=ready)


def distil(
    run: str | Path,
    *,
    steps: int = 1,
    until: float | None = None,
    first_steps: int | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    round_steps: int | None = None,
    resume: bool = False,
    force: bool = False,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    report: Report | None = None,
) -> Run:
    """Distil a diffusion progressively.

    Args:
        run: the folder of the diffusion.
        steps: of the last student.
        until: the latest step of its chain that is distilled, such as 256 of 1000, or a time below 1; all when None.
        first_steps: of the first teacher: steps times 2, 4, 8 and so on; about a quarter of its chain when None.
        data: pictures to learn with; those of the run when None.
        out: the folder of the new run; beside the other when None.
        round_steps: training steps of a round, and twice as many of the last two; a twentieth of the run's own when None.
        resume: go on with a distillation that was interrupted.
        force: take the place of a run that is there.
        seed: of training; the run's own when None.
        overrides: values of the new run's recipe, each "training.lr=1e-4".
        report: told of progress.

    Raises:
        ConfigError: the run is no diffusion, or steps that cannot be halved.
        ExistsError: something is at `out`.
        RunError: it is not a run.

    Source: Salimans and Ho (2022), arXiv:2202.00512.
    """
    planned = plan(
        run, steps=steps, until=until, first_steps=first_steps, data=data, out=out, round_steps=round_steps, resume=resume,
        force=force, seed=seed, overrides=overrides,
    )  # fmt: skip
    return carry_out(planned, report=report)[0]


def _named(taught: str, steps: int) -> str:
    """What a run is called that was taught by another."""
    return f"{taught}-{steps}-step{'s'[: steps > 1]}"


def _recipe(taught: Recipe, run: str | Path, *, steps: int, until: float | None, first_steps: int | None) -> Recipe:
    """The recipe of the run that comes of it."""
    if not isinstance(taught.model, DiffusionSpec):
        raise ConfigError(
            f"{run} is a {taught.model.kind}, and only diffusions are distilled; give the run of one, such as digits-ddpm."
        )
    chain = getattr(taught.model.schedule, "steps", None)
    last = last_time(until, chain)
    check_whole("steps", steps)
    first = first_steps_for(steps, round(last * (chain or 1000))) if first_steps is None else first_steps
    rounds(first, steps)
    training = taught.training.model_copy(
        update={
            "steps": max(1, taught.training.steps // SHARE),
            "lr": taught.training.lr / SLOWER,
            "warmup": 0,
            "decay": "linear",
            "ema": 0.0,
            "players": {},
        }
    )
    return Recipe(
        name=_named(taught.name, steps),
        model=DistilledSpec(kind="distilled", diffusion=taught.model, steps=steps, first_steps=first, until=until),
        data=taught.data,
        training=training,
        sampling=SamplingSpec(sampler="ddim", steps=steps),
    )
