"""Langevin chains on energies whose samples are known exactly."""

import math

import pytest
import torch
from torch import nn

from unveil.core.errors import ConfigError, DivergenceError, ShapeError
from unveil.core.random import Streams
from unveil.mcmc import LangevinStep, Trace, energy_gradient, joint_langevin, langevin


def gaussian(mean=0.0, std=1.0):
    """U of N(mean, std^2)."""
    return lambda x: ((x - mean) ** 2).flatten(1).sum(1) / (2 * std**2)


class Net(nn.Module):
    """A small energy with parameters."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ELU(), nn.Conv2d(4, 1, 3))

    def forward(self, x):
        return -self.layers(x).flatten(1).sum(1)


def fixed(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("std", "eps"), [(1.0, 0.5), (1.0, 1.0), (0.5, 0.5), (2.0, 1.0), (1.0, 0.1)])
def test_unadjusted_langevin_has_the_variance_that_theory_gives(std, eps):
    steps, n = 400, 100_000
    x = langevin(gaussian(std=std), torch.zeros(n, 1), steps=steps, step_size=eps**2, generator=fixed())
    keeps = 1 - eps**2 / (2 * std**2)
    expected = std**2 / (1 - eps**2 / (4 * std**2)) * (1 - keeps ** (2 * steps))
    assert abs(float(x.var()) / expected - 1) < 0.01
    assert abs(float(x.mean())) < 4 * std / math.sqrt(n)


@pytest.mark.parametrize(("step_size", "noise"), [(0.1, 0.1), (0.5, 0.2), (1.0, 0.03)])
def test_noise_that_is_not_tied_to_the_step_gives_its_own_variance(step_size, noise):
    std, mean = 0.8, 0.3
    x = langevin(
        gaussian(mean, std),
        torch.full((100_000, 1), mean),
        steps=300,
        step_size=step_size,
        noise=noise,
        generator=fixed(),
    )
    expected = noise**2 / (1 - (1 - step_size / (2 * std**2)) ** 2)
    assert abs(float(x.var()) / expected - 1) < 0.01


def test_without_noise_the_chain_runs_down_to_the_mode():
    x = langevin(gaussian(0.4, 0.5), torch.randn(5, 2, 3, 3), steps=300, step_size=0.1, noise=0.0)
    torch.testing.assert_close(x, torch.full_like(x, 0.4))


def test_a_step_without_noise_lowers_the_energy():
    energy, x = Net().double(), torch.randn(4, 3, 9, 9).double()
    with torch.no_grad():
        before, after = energy(x), energy(langevin(energy, x, steps=1, step_size=2e-3, noise=0.0))
    assert (after < before).all()


def test_states_stay_within_their_bounds():
    watched = []
    x = langevin(
        gaussian(3.0, 0.2), torch.zeros(8, 4), steps=20, step_size=0.02, bounds=(-1, 1), generator=fixed(),
        watch=lambda step, steps, x: watched.append((step, steps, float(x.abs().max()))),
    )  # fmt: skip
    assert x.max() == 1
    assert x.min() >= -1
    assert [w[:2] for w in watched] == [(k, 20) for k in range(1, 21)]
    assert all(w[2] <= 1 for w in watched)


def test_the_same_seed_gives_the_same_chain_and_the_start_is_left_alone():
    start = torch.randn(3, 2, 4, 4)
    kept = start.clone()
    one, two, other = (langevin(gaussian(), start, steps=7, step_size=0.3, generator=fixed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(start, kept)


def test_a_sample_does_not_depend_on_its_batch():
    energy, start = Net(), torch.randn(6, 3, 9, 9)
    whole = langevin(energy, start, steps=5, step_size=0.1, generator=Streams(3, 6))
    parts = [
        langevin(energy, start[i : i + 2], steps=5, step_size=0.1, generator=Streams(3, range(i, i + 2)))
        for i in (0, 2, 4)
    ]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("generator", [fixed(), Streams(0, 3)])
def test_a_chain_without_noise_is_not_touched_by_the_noise_of_others(generator):
    energy, start = Net(), torch.randn(3, 3, 9, 9)
    noise = torch.tensor([0.5, 0.0, 0.1])
    mixed = langevin(energy, start, steps=6, step_size=0.1, noise=noise, generator=generator)
    alone = langevin(energy, start[1:2], steps=6, step_size=0.1, noise=0.0)
    torch.testing.assert_close(mixed[1:2], alone, atol=1e-5, rtol=1e-5)
    assert not torch.equal(mixed[0], langevin(energy, start[:1], steps=6, step_size=0.1, noise=0.0)[0])


def test_a_chain_split_in_two_is_the_whole_chain():
    energy, start = gaussian(), torch.zeros(4, 3)
    whole = langevin(energy, start, steps=9, step_size=0.4, generator=(one := fixed(5)))
    carried = fixed(5)
    half = langevin(energy, start, steps=4, step_size=0.4, generator=carried)
    assert torch.equal(langevin(energy, half, steps=5, step_size=0.4, generator=carried), whole)
    assert torch.equal(torch.rand(1, generator=one), torch.rand(1, generator=carried))


def test_no_gradient_reaches_the_network_and_no_graph_is_kept():
    energy = Net()
    before = {name: value.clone() for name, value in energy.state_dict().items()}
    start = torch.randn(2, 3, 9, 9, requires_grad=True)
    x = langevin(energy, start, steps=3, step_size=0.1, generator=fixed())
    assert not x.requires_grad
    assert x.grad_fn is None
    assert start.grad is None
    assert all(p.grad is None and p.requires_grad for p in energy.parameters())
    assert all(torch.equal(value, before[name]) for name, value in energy.state_dict().items())
    loss = energy(x).mean() - energy(start.detach()).mean()
    loss.backward()  # samples are constants, and the energy can be trained
    assert all(p.grad is not None for p in energy.parameters())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_chain_runs_where_gradients_are_off(mode):
    energy, start = Net(), torch.randn(2, 3, 9, 9)
    expected = langevin(energy, start, steps=3, step_size=0.1, generator=fixed())
    with mode():
        assert torch.equal(langevin(energy, start, steps=3, step_size=0.1, generator=fixed()), expected)


def test_positive_and_negative_samples_that_are_the_same_teach_nothing():
    energy = Net()
    x = langevin(energy, torch.randn(2, 3, 9, 9), steps=2, step_size=0.1, generator=fixed())
    (energy(x).mean() - energy(x.clone()).mean()).backward()
    assert all(float(p.grad.abs().max()) < 1e-6 for p in energy.parameters())


def test_a_step_of_learning_lowers_the_energy_of_data_against_samples():
    energy = Net()
    data, drawn = torch.full((4, 3, 9, 9), 0.5), torch.rand(4, 3, 9, 9, generator=fixed()) * 2 - 1

    def difference():
        return energy(data).mean() - energy(drawn).mean()

    before = difference()
    before.backward()
    with torch.no_grad():
        for p in energy.parameters():
            p -= 1e-3 * p.grad
    assert float(difference().detach()) < float(before.detach())


def test_a_projection_is_applied_after_every_step():
    known = torch.rand(2, 1, 4, 4)
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[:, 2:] = True
    seen = []
    langevin(
        gaussian(), torch.zeros(2, 1, 4, 4), steps=4, step_size=0.1, generator=fixed(),
        project=lambda x: torch.where(mask, known, x), watch=lambda k, n, x: seen.append(x),
    )  # fmt: skip
    assert len(seen) == 4
    assert all(torch.equal(x[..., mask], known[..., mask]) and (x[..., ~mask] != 0).all() for x in seen)


def test_a_gradient_that_is_given_is_taken_instead_of_the_energy():
    energy, start = Net(), torch.randn(2, 3, 9, 9)
    by_energy = langevin(energy, start, steps=4, step_size=0.1, generator=fixed())
    by_gradient = langevin(
        None, start, steps=4, step_size=0.1, generator=fixed(), gradient=lambda x: energy_gradient(energy, x)[1]
    )
    assert torch.equal(by_energy, by_gradient)
    with pytest.raises(ShapeError, match="gradient"):
        langevin(None, start, steps=1, step_size=0.1, gradient=lambda x: x[:1])
    with pytest.raises(TypeError):
        langevin(None, start, steps=1, step_size=0.1)


def test_only_drifts_that_are_too_long_are_shortened_and_they_keep_their_direction():
    start = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    trace = Trace()
    x = langevin(gaussian(), start, steps=1, step_size=1.0, noise=0.0, longest=0.5, trace=trace)
    moved = x - start
    torch.testing.assert_close(moved[0], torch.tensor([-0.3, -0.4]))  # 2.5 long before
    torch.testing.assert_close(moved[1], torch.tensor([-0.15, -0.2]))  # 0.25 long: as it was
    summary = trace.summary()
    assert summary["shortened"] == 0.5
    assert summary["drift"] == pytest.approx((2.5 + 0.25) / 2)


def test_a_trace_tells_the_slope_and_how_the_energy_fell():
    trace = Trace()
    start = torch.full((2, 4), 2.0)
    langevin(gaussian(), start, steps=3, step_size=1.0, noise=0.0, trace=trace)
    torch.testing.assert_close(trace.gradient, [torch.full((2,), v) for v in (2.0, 1.0, 0.5)])
    torch.testing.assert_close(trace.energy, [torch.full((2,), v) for v in (8.0, 2.0, 0.5)])
    summary = trace.summary()
    assert summary["gradient_rms"] == pytest.approx(3.5 / 3)
    assert summary["energy_drift"] == pytest.approx(-7.5)
    assert "acceptance" not in summary
    assert "shortened" not in summary
    assert Trace().summary() == {}


@pytest.mark.parametrize(
    ("broken", "error", "says"),
    [
        ({"steps": 0}, ConfigError, "steps"),
        ({"steps": 2.5}, ConfigError, "steps"),
        ({"step_size": 0.0}, ConfigError, "step_size"),
        ({"step_size": math.nan}, ConfigError, "step_size"),
        ({"noise": -1.0}, ConfigError, "noise"),
        ({"noise": torch.zeros(2)}, ShapeError, "2 noises"),
        ({"noise": torch.zeros(3, 1)}, ShapeError, "noise"),
        ({"bounds": (1, -1)}, ConfigError, "bounds"),
        ({"longest": 0.0}, ConfigError, "longest"),
    ],
)
def test_impossible_numbers_are_refused(broken, error, says):
    with pytest.raises(error, match=says):
        langevin(gaussian(), torch.zeros(3, 2), **{"steps": 1, "step_size": 0.1} | broken)


def test_an_energy_must_give_one_number_a_sample():
    with pytest.raises(ShapeError, match="one number a sample"):
        langevin(lambda x: x, torch.zeros(3, 1), steps=1, step_size=0.1)


def test_a_chain_that_stops_being_finite_says_in_which_step():
    def slope(x):
        return torch.where(x > 2.5, math.nan, -torch.ones_like(x))

    with pytest.raises(DivergenceError, match="step 4 of 6"):
        langevin(None, torch.zeros(1, 1), steps=6, step_size=2.0, noise=0.0, gradient=slope)
    with pytest.raises(DivergenceError, match="step 1 of 2"):  # though clipping would hide it
        langevin(
            None,
            torch.zeros(1, 1),
            steps=2,
            step_size=1.0,
            bounds=(-1, 1),
            gradient=lambda x: torch.full_like(x, math.inf),
        )


def test_an_energy_that_stops_being_finite_is_told_though_its_slope_is():
    def energy(x):  # straight, and beyond 2.5 without a value
        return x.sum(1) + torch.where(x[:, 0] < -2.5, math.inf, 0.0)

    with pytest.raises(DivergenceError, match="step 4 of 6"):
        langevin(energy, torch.zeros(2, 1), steps=6, step_size=2.0, noise=0.0)
    with pytest.raises(DivergenceError, match="step 4 of 6"):
        joint_langevin(energy, (torch.zeros(2, 1),), (LangevinStep(2.0, 0.0),), steps=6)


def test_a_sample_may_be_a_single_number():
    start, trace = torch.tensor([4.0, -0.5, -9.0]), Trace()
    x = langevin(lambda x: x.square() / 2, start, steps=1, step_size=2.0, noise=0.0, longest=1.0, trace=trace)
    torch.testing.assert_close(x, torch.tensor([3.0, 0.0, -8.0]))
    assert trace.shortened[0].tolist() == [True, False, True]
    torch.testing.assert_close(trace.drift[0], start.abs())


def coupled(x, y):
    """U of two numbers whose precision matrix is [[2, 1], [1, 2]]."""
    return (x**2 + x * y + y**2).sum(1)


@pytest.mark.parametrize("in_turn", [False, True])
def test_variables_move_together_or_in_turn_each_with_its_own_step(in_turn):
    n, steps = 100_000, 200
    moves = LangevinStep(0.02), LangevinStep(0.04)
    x, y = joint_langevin(
        coupled, (torch.zeros(n, 1), torch.zeros(n, 1)), moves, steps=steps * 3, in_turn=in_turn, generator=fixed()
    )
    got = torch.cov(torch.cat([x, y], 1).T)
    exact = torch.linalg.inv(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
    assert (got - exact).abs().max() < 0.03


def test_moving_in_turn_sees_what_has_moved():
    start = torch.ones(1, 1), torch.ones(1, 1)
    downhill = LangevinStep(0.2, 0.0), LangevinStep(0.2, 0.0)
    traces = Trace(), Trace()
    together = joint_langevin(coupled, start, downhill, steps=1, traces=traces)
    assert [trace.summary()["gradient_rms"] for trace in traces] == pytest.approx([3.0, 3.0])
    in_turn = joint_langevin(coupled, start, downhill, steps=1, in_turn=True)
    assert [float(v) for v in together] == pytest.approx([0.7, 0.7])
    assert [float(v) for v in in_turn] == pytest.approx([0.7, 1 - 0.1 * (2 + 0.7)])


def test_one_variable_in_a_joint_chain_is_a_chain():
    start = torch.randn(3, 2)
    alone = langevin(gaussian(), start, steps=5, step_size=0.3, generator=Streams(1, 3))
    (joint,) = joint_langevin(gaussian(), (start,), (LangevinStep(0.3),), steps=5, generator=Streams(1, 3))
    assert torch.equal(alone, joint)


def test_a_joint_chain_refuses_what_does_not_fit():
    x, move = torch.zeros(2, 1), LangevinStep(0.1)
    for parts, moves in (((x, x), (move,)), ((x, torch.zeros(3, 1)), (move, move)), ((), ())):
        with pytest.raises(ShapeError, match="step for each"):
            joint_langevin(coupled, parts, moves, steps=1)
    with pytest.raises(DivergenceError, match="step 1"):
        joint_langevin(lambda x, y: (x * y).sum(1) * math.inf, (x, x), (move, move), steps=1)
