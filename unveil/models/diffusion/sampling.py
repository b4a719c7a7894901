"""Samplers by name, and the grid of times that each one walks."""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from unveil import samplers
from unveil.core.errors import ConfigError
from unveil.core.protocols import Schedule
from unveil.schedules.grids import Spacing, even, times_of

SAMPLERS: Mapping[str, Callable[..., Tensor]] = {
    "ddim": samplers.ddim,
    "ancestral": samplers.ancestral,
    "annealed-langevin": samplers.annealed_langevin,
    "consistent-annealed": samplers.consistent_annealed,
    "euler": partial(samplers.probability_flow, method="euler"),
    "heun": partial(samplers.probability_flow, method="heun"),
    "rk45": partial(samplers.probability_flow, method="rk45"),
    "reverse-sde": samplers.reverse_sde,
    "predictor-corrector": samplers.predictor_corrector,
}
_CONTINUOUS = {"euler", "heun", "rk45", "reverse-sde", "predictor-corrector"}
_OWN_NOISE = {"euler", "heun", "rk45"}  # draw none after the start
_PARTS = {"denoise", "x", "schedule", "times", "method", "cov", "generator", "clip", "watch"}


def sampler_named(name: str, options: Mapping[str, Any]) -> Callable[..., Tensor]:
    """The sampler of a name with its own options bound.

    Raises:
        ConfigError: the name is unknown, or the sampler has no such option.
    """
    if name not in SAMPLERS:
        raise ConfigError(f"Unknown sampler {name!r}; take one of {', '.join(SAMPLERS)}.")
    sampler = SAMPLERS[name]
    own = set(signature(sampler).parameters) - _PARTS
    unknown = sorted(set(options) - own)
    if unknown:
        has = f"it has {', '.join(sorted(own))}" if own else "it has none"
        raise ConfigError(f"Sampler {name} has no option {', '.join(unknown)}; {has}.")
    return partial(sampler, **options)


def takes_noise(name: str) -> bool:
    """Whether a sampler draws noise on its way."""
    return name not in _OWN_NOISE


def times_for(name: str, schedule: Schedule, steps: int, start: float, spacing: Spacing) -> Tensor:
    """The descending times a sampler visits in `steps` evaluations (twice as many for "heun"), the last one 0.

    Chains walk a schedule's own steps; solvers of the SDE and ODE an even grid down to the schedule's t_eps.
    """
    if name not in _CONTINUOUS:
        return times_of(schedule, steps, spacing, start)
    t_eps: float = getattr(schedule, "t_eps", 1e-3)
    length: int | None = getattr(schedule, "steps", None)
    last = max(t_eps, 1 / length) if length else t_eps  # a network knows no time before its first step
    if steps < 1 or not last < start <= 1:
        raise ConfigError(
            f"Sampler {name} takes 1 or more steps from a start in ({last:g}, 1]; it got {steps} from {start}."
        )
    path = even(steps - 1, start, last) if steps > 1 else torch.tensor([start], dtype=torch.float64)
    return torch.cat([path, torch.zeros(1, dtype=torch.float64)])
