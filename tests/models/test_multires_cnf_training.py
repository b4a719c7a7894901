"""How flows are trained."""

import math

import pytest
import torch
from flow_models import EXACT, drawn, levels_of, small
from torch import nn

from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.models.multires_cnf import (
    ResolutionFlow,
    Training,
)
from unveil.networks import ConvDynamics
from unveil.ode import Solver


def gradient_of(model, resolution, x, **options):
    (move,) = model.moves(Batch(x, generator=Streams(0, len(x)), step=1, **options), [resolution])
    move.loss.backward()
    return [value.grad for value in model.flow(resolution).parameters()]


def test_a_flow_begins_by_moving_everything_alike():
    net = ConvDynamics(3, 1, hidden=(8, 8)).double()
    x = drawn(2, 3, 4, 4, seed=3)
    velocity = net(torch.tensor(0.3), x, drawn(2, 1, 4, 4))
    torch.testing.assert_close(velocity, net(torch.tensor(0.9), 2 * x, drawn(2, 1, 4, 4)), rtol=0, atol=0.5)
    nn.init.zeros_(net.layers[-1].weight)
    flow = ResolutionFlow([net], 3, 1)
    found = flow.encode(x, drawn(2, 1, 4, 4), solver=Solver(), probe="exact")
    assert torch.equal(found.change, torch.zeros(2).double())
    assert found.evaluations <= 26


@pytest.mark.parametrize(
    ("resolutions", "blocks", "weights"),
    [(1, 2, 158_268), (1, 14, 1_107_876), (2, 8, 1_335_744), (2, 12, 2_003_616), (3, 6, 1_528_812), (3, 20, 5_096_040),
     (4, 8, 2_741_088)],
)  # fmt: skip
def test_networks_of_the_paper_have_as_many_weights_as_published(resolutions, blocks, weights):
    with torch.device("meta"):
        known = [ConvDynamics(9, 3) for _ in range(resolutions - 1)] + [ConvDynamics(3)]
    assert blocks * sum(value.numel() for net in known for value in net.parameters()) == weights


def test_resolutions_do_not_touch_each_other():
    x = levels_of()
    alone, beside = small(3), small(3)
    for value in beside.flow(2).parameters():
        value.data += 1
    for a, b in zip(gradient_of(alone, 1, x), gradient_of(beside, 1, x), strict=True):
        assert torch.equal(a, b)
    assert all(value.grad is None for flow in (alone.flow(2), alone.flow(3)) for value in flow.parameters())


def test_resolutions_learn_the_same_together_as_alone():
    options, x = Training(probe="exact"), levels_of()
    together = small(3, training=options)
    for move in together.moves(Batch(x, generator=Streams(0, 4), step=1), [3, 2, 1]):
        move.loss.backward()
    for s in (1, 2, 3):
        alone = gradient_of(small(3, training=options), s, x)
        for a, b in zip(alone, together.flow(s).parameters(), strict=True):
            torch.testing.assert_close(a, b.grad, rtol=1e-9, atol=1e-12)


def test_losses_of_resolutions_are_the_parts_of_the_likelihood():
    options = Training(solver=EXACT, probe="exact", kinetic=0, jacobian=0)
    model, x = small(3, training=options), levels_of()
    streams = Streams(0, 4)
    moves = list(model.moves(Batch(x, generator=streams, step=1), [3, 2, 1]))
    u = model.levels.dequantise(x, Streams(0, 4))
    parts, _, _ = model.terms(2 * u - 1, trace="exact", solver=EXACT)
    sizes = [4, 16, 64]
    summed = sum(float(move.loss.detach()) * size for move, size in zip(moves, sizes, strict=True))
    truth = -parts.sum(0).mean() / math.log(2) + 8 * 64
    assert summed == pytest.approx(float(truth), rel=1e-6)


@pytest.mark.parametrize(
    ("backward", "tolerance", "bound"),
    [("checkpoint", 1e-5, 1e-3), ("adjoint", 1e-5, 1e-3), ("adjoint", 1e-3, 0.05)],
)
def test_gradients_are_the_same_however_they_come_about(backward, tolerance, bound):
    x = levels_of()
    exact = gradient_of(small(training=Training(solver=EXACT)), 1, x)
    solver = Solver(rtol=tolerance, atol=tolerance)
    other = gradient_of(small(training=Training(solver=solver, backward=backward)), 1, x)
    size = torch.cat([value.flatten() for value in exact]).norm()
    assert float(torch.cat([(a - b).flatten() for a, b in zip(exact, other, strict=True)]).norm() / size) < bound


def test_stages_are_the_resolutions_from_coarse_to_fine():
    assert [(stage.name, list(stage.players)) for stage in small(3).stages(5)] == [
        ("2x2", ["2x2"]), ("4x4", ["4x4"]), ("8x8", ["8x8"]),
    ]  # fmt: skip
    (together,) = small(3, training=Training(together=True)).stages(5)
    assert list(together.players) == ["2x2", "4x4", "8x8"]
    (only,) = small(3, training=Training(only=2)).stages({"4x4": 7})
    assert (only.name, only.steps) == ("4x4", 7)


def test_the_first_batch_decides_the_scale():
    model, x = small(), levels_of(50)
    list(model.moves(Batch(x, generator=Streams(0, 50), step=0), [1]))
    flow = model.flow(1)
    assert bool(flow.settled)
    level = model.pyramid.levels(model.levels.dequantise(x, Streams(0, 50)))[0]
    standard = flow.standard(level.state)
    torch.testing.assert_close(standard.std((0, 2, 3)), torch.ones(3).double(), rtol=0.01, atol=0)
    assert float(standard.mean((0, 2, 3)).abs().max()) < 1e-6
    kept = flow.scale.clone()
    flow.settle(10 * level.state, None)
    assert torch.equal(flow.scale, kept)


@pytest.mark.parametrize(
    "options",
    [{"steer": 0.3}, {"adversarial": 0.1}, {"objective": "flow-matching"}, {"probe": "gaussian"}, {"together": True}],
)
def test_a_model_learns(options):
    """A few steps lower the bits of the few pictures that are learned."""
    model = small(training=Training(solver=Solver("rk4", steps=2), **options))
    x = torch.zeros(16, 1, 8, 8).double()
    x[:8, :, :4] = -1
    x = ((x + 1) * 127.5).round() / 127.5 - 1
    optimizers = {}
    for stage in model.stages(25):
        optimizers |= {name: torch.optim.Adam(player.parameters(), 1e-2) for name, player in stage.players.items()}
        for step in range(stage.steps):
            for move in stage.moves(Batch(x, generator=Streams(step, 16), step=step)):
                optimizers[move.player].zero_grad()
                move.loss.backward(inputs=list(stage.players[move.player].parameters()))
                optimizers[move.player].step()
        if stage.name == "4x4":
            assert model.sample(2).shape == (2, 1, 8, 8)  # the finer resolution adds nothing yet
    before = small()
    list(before.moves(Batch(x, generator=Streams(0, 16), step=0), [1, 2]))
    bits = [float(each.bits_per_dim(x, generator=Streams(0, 16)).mean()) for each in (before, model)]
    assert bits[1] < bits[0] - 0.3


def test_the_end_of_time_is_drawn_around_one():
    flow = small().flow(2)
    state, ends = drawn(2, 1, 4, 4), []
    net = flow.blocks[0]
    watched = net.register_forward_hook(lambda *call: ends.append(float(call[1][0])))
    for seed in range(5):
        ends.clear()
        flow.encode(state, solver=Solver("euler", steps=2), generator=Streams(seed, 2), steer=0.5)
        assert 0.25 <= max(ends) <= 0.75
    watched.remove()
    assert max(ends) != 0.5
