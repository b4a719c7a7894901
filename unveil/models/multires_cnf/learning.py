"""What a step of training is for one resolution: its part of the likelihood, and the critic's where there is one."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unveil.core.protocols import Move
from unveil.core.random import Randomness, randn_like
from unveil.models.multires_cnf.critic import clipped, hinge
from unveil.models.multires_cnf.pyramid import Level

if TYPE_CHECKING:
    from unveil.models.multires_cnf.model import MultiResolutionCNF


def learn(model: "MultiResolutionCNF", resolution: int, level: Level, generator: Randomness) -> Iterator[Move]:
    """The moves of one step of a resolution: of its critic where it has one, and of its flow."""
    options, flow = model.training_options, model.flow(resolution)
    name = flow.name
    numbers = math.prod(model.pyramid.size(resolution)) * model.shape[0]
    if options.objective == "flow-matching":
        yield Move(name, flow.matching(level.state, level.condition, generator).mean())
        return
    judged = None
    if options.adversarial:
        real, fake = _pair(model, resolution, level, generator)
        critic = model.critics[resolution - 1]
        yield Move(f"{name}-critic", hinge(critic(real), critic(fake.detach())))
        judged = -critic(fake).mean()
    found = flow.encode(
        level.state,
        level.condition,
        solver=options.solver,
        probe=options.probe,
        generator=generator,
        backward=options.backward,
        steer=options.steer,
        regularised=True,
    )
    own = level.state[0].numel() / numbers  # three quarters, or all: the levels of so many pixels are counted here
    bits = -model.nats_of(level, found).mean() / (numbers * math.log(2)) + own * math.log2(model.levels.count)
    loss = bits + options.kinetic * found.kinetic.mean() + options.jacobian * found.jacobian.mean()
    if judged is not None:
        loss = loss + clipped(options.adversarial * judged, flow, options.adversarial_clip)
    logs = {"bits": bits, "kinetic": found.kinetic.mean(), "jacobian": found.jacobian.mean()}
    counted = torch.tensor(float(found.evaluations))
    yield Move(name, loss, {**{key: value.detach() for key, value in logs.items()}, "evaluations": counted})


def _pair(model: "MultiResolutionCNF", resolution: int, level: Level, generator: Randomness) -> tuple[Tensor, Tensor]:
    """Pictures of a resolution, and pictures with the same coarser ones and details that the flow draws."""
    options, flow = model.training_options, model.flow(resolution)
    z = randn_like(level.state, generator)
    drawn = flow.decode(z, level.condition, solver=options.solver, backward=options.backward)

    def shown(state: Tensor) -> Tensor:
        if level.condition is None:
            return model.pyramid.pixels(model.pyramid.coarse(state), resolution)
        coarse = level.condition * model.pyramid.unit(resolution + 1)
        return model.pyramid.pixels(model.pyramid.transform.merge(state, coarse), resolution)

    return 2 * shown(level.state) - 1, 2 * shown(drawn) - 1
