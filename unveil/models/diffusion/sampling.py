"""Samplers by name, and the grid of times that each one walks."""

from collections.abc import Callable, Mapping
from functools import cache, cached_property, partial
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


class Tabulated:
    """A schedule that looks its values up at times known beforehand, and computes them elsewhere.

    A sampler asks for the same few times again and again, and a small network is done in a millisecond.
    """

    def __init__(self, schedule: Schedule, times: Tensor) -> None:
        self._schedule, self._times = schedule, times

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Alpha and sigma at times t."""
        return self._found(self._values, t) or self._schedule(t)

    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Drift and squared diffusion at times t."""
        return self._found(self._rates, t) or self._schedule.rates(t)

    @cached_property
    def _values(self) -> "_Table":
        return self._table(*self._schedule(self._times))

    @cached_property
    def _rates(self) -> "_Table":
        return self._table(*self._schedule.rates(self._times))

    def _table(self, *columns: Tensor) -> "_Table":
        return dict(zip(self._times.tolist(), zip(*(c.tolist() for c in columns), strict=True), strict=True))

    @staticmethod
    def _found(table: "_Table", t: Tensor) -> tuple[Tensor, Tensor] | None:
        if not t.is_cpu:  # reading it would wait
            return None
        rows = [table.get(number) for number in t.flatten().tolist()]
        if not all(rows):
            return None
        first, second = torch.tensor(rows, dtype=t.dtype).reshape(*t.shape, 2).unbind(-1)
        return first, second


_Table = dict[float, tuple[float, ...]]
_PACK, _PACK_ON_DEVICE = 4, 32
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
    own = _options(name)
    unknown = sorted(set(options) - own)
    if unknown:
        has = f"it has {', '.join(sorted(own))}" if own else "it has none"
        raise ConfigError(f"Sampler {name} has no option {', '.join(unknown)}; {has}.")
    return partial(sampler, **options)


@cache
def _options(name: str) -> frozenset[str]:
    """The options that a sampler has of its own."""
    return frozenset(signature(SAMPLERS[name]).parameters) - _PARTS


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


def in_packs(walk: Callable[[Tensor, Tensor | None, Any], Tensor], x: Tensor, label: Tensor | None, net: Any) -> Tensor:
    """Walk a batch in packs of one size, in double precision, the last pack filled up with copies.

    For a solver that chooses its own steps: the rounding of a network changes with the size of its batch, and a choice
    that hangs by a hair would change with it. In packs of one size a sample is the same whatever its company.
    A network that is told something of each sample gives itself as told of some by its method `rows(index)`.
    """
    size = _PACK if x.device.type == "cpu" else _PACK_ON_DEVICE
    done = []
    for first in range(0, len(x), size):
        rows = torch.arange(first, first + size, device=x.device).clamp(max=len(x) - 1)
        known = label[rows.to(label.device)] if label is not None else None
        told = net.rows(rows) if net is not None else None
        done.append(walk(x[rows].double(), known, told)[: len(x) - first].to(x.dtype))
    return torch.cat(done)
