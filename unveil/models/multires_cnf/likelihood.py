"""The parts of a likelihood: those of every resolution, by its flow."""

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness
from unveil.models.multires_cnf.drawing import not_finite
from unveil.models.multires_cnf.flow import Probe
from unveil.models.still import evaluating
from unveil.ode import Solver

if TYPE_CHECKING:
    from unveil.models.multires_cnf.model import MultiResolutionCNF

Trace = Literal["auto", "exact", "hutchinson"]

EXACT_UP_TO = 256
"""Numbers of a resolution whose trace is exact where nothing else was asked for."""


def terms(
    model: "MultiResolutionCNF", x: Tensor, *, generator: Randomness, trace: Trace, probes: int, solver: Solver | None
) -> tuple[Tensor, list[Tensor], int]:
    """The parts of ln p of every resolution, (S, B), where they are as noise, and evaluations; see the model's `terms`."""
    check_whole("probes", probes)
    if trace not in ("auto", "exact", "hutchinson"):
        raise ConfigError(f"The trace is auto, exact or hutchinson; it got {trace!r}.")
    solver, trained_with = solver or model.solver, model.training_options.probe
    random: Probe = "rademacher" if trained_with == "exact" else trained_with
    sums, noise, evaluations = [], [], 0
    for resolution, level in enumerate(model.pyramid.levels(((x + 1) / 2).clamp(0, 1)), start=1):
        exact = trace == "exact" or (trace == "auto" and level.state[0].numel() <= EXACT_UP_TO)
        rounds = 1 if exact else probes
        nats = x.new_zeros(len(x), dtype=torch.float64)
        with evaluating(model):
            for _ in range(rounds):
                found = model.flow(resolution).encode(
                    level.state,
                    level.condition,
                    solver=solver,
                    probe="exact" if exact else random,
                    generator=generator,
                )
                nats += model.nats_of(level, found).double() / rounds
                evaluations += found.evaluations
        sums.append(nats)
        noise.append(found.z)
    parts = torch.stack(sums)
    if not bool(parts.isfinite().all()):  # solvers of fixed steps do not look
        raise not_finite(solver, "A likelihood")
    return parts, noise, evaluations
