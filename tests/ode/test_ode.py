"""Steps, times, landing, paths and budgets of solvers."""

import math

import pytest
import torch
import torchdiffeq
from linear_field import MATRIX, START, linear

from unveil.core.errors import ConfigError, DivergenceError
from unveil.ode import (
    Solver,
    bosh3,
    dopri5,
    euler,
    heun,
    midpoint,
    rk4,
    solve,
)
from unveil.ode.solution import Leg


@pytest.mark.parametrize(("solver", "order"), [(euler, 1), (midpoint, 2), (heun, 2), (rk4, 4)])
@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, 0.2)])
def test_fixed_steps_converge_at_their_order_to_the_matrix_exponential(solver, order, ends):
    exact = START @ torch.linalg.matrix_exp(MATRIX * (ends[1] - ends[0])).T

    def error(steps):
        return float(
            (solver(linear, START, torch.linspace(*ends, steps + 1, dtype=torch.float64)).final - exact).abs().max()
        )

    assert math.log2(error(40) / error(80)) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, -0.5)])
def test_dopri5_meets_its_tolerance_at_every_time(ends):
    times = torch.linspace(*ends, 5, dtype=torch.float64)
    solution = dopri5(linear, START, times, rtol=1e-9, atol=1e-9)
    for t, state in zip(times, solution.states, strict=True):
        exact = START @ torch.linalg.matrix_exp(MATRIX * float(t - times[0])).T
        torch.testing.assert_close(state, exact, rtol=0, atol=1e-7)


def stiffness(t, x):
    """Each sample turns at a speed of its own that changes in time: no two want the same steps."""
    speed = (1 + 20 * x[:, 2:] ** 2) * (1 + torch.sin(6 * t.to(x)).reshape(-1, 1))
    return torch.cat([-speed * x[:, 1:2], speed * x[:, :1], torch.zeros_like(x[:, 2:])], 1)


def test_dopri5_agrees_with_torchdiffeq():
    x = torch.rand(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    times = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    theirs = torchdiffeq.odeint(stiffness, x, times, rtol=1e-9, atol=1e-9, method="dopri5")
    torch.testing.assert_close(dopri5(stiffness, x, times, rtol=1e-9, atol=1e-9).states, theirs, rtol=0, atol=1e-6)


def test_dopri5_solves_every_sample_by_itself():
    x = torch.rand(9, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    times = torch.tensor([0.0, 1.0])
    together = dopri5(stiffness, x, times).final
    alone = torch.cat([dopri5(stiffness, row[None], times).final for row in x])
    assert torch.equal(together, alone)


def test_dopri5_hands_each_sample_its_own_time():
    def field(t, x):
        assert t.shape == (len(x),)
        return torch.cos(t.to(x))[:, None].expand_as(x)

    x = torch.zeros(3, 2, dtype=torch.float64)
    final = dopri5(field, x, torch.tensor([0.0, 2.0])).final
    torch.testing.assert_close(final, torch.full_like(x, math.sin(2.0)), rtol=0, atol=1e-5)


def test_evaluations_are_counted():
    calls = 0

    def field(t, x):
        nonlocal calls
        calls += 1
        return -x

    for solver in (euler, midpoint, heun, rk4, bosh3, dopri5):
        calls = 0
        assert solver(field, START, torch.tensor([0.0, 0.5, 1.0])).evaluations == calls
        calls = 0
        assert solver(field, START, torch.tensor([0.0, 0.5, 1.0]), dense=True).evaluations == calls


def test_an_empty_batch_stays_empty():
    assert dopri5(linear, START[:0], torch.tensor([0.0, 1.0])).final.shape == (0, 5)


@pytest.mark.parametrize("times", [[0.0], [0.0, 0.0], [0.0, 1.0, 0.5], [0.0, math.inf]])
def test_times_must_be_ordered(times):
    for solver in (euler, dopri5):
        with pytest.raises(ConfigError, match="ascending or descending"):
            solver(linear, START, torch.tensor(times))


def test_a_spent_budget_says_what_to_change():
    with pytest.raises(DivergenceError, match="max_evaluations"):
        dopri5(
            lambda t, x: 1000 * torch.cos(1000 * t.to(x))[:, None] * x,
            START,
            torch.tensor([0.0, 1.0]),
            max_evaluations=50,
        )


def test_an_explosion_is_noticed():
    with pytest.raises(DivergenceError):
        dopri5(lambda t, x: x**3, 10 * START.abs() + 1, torch.tensor([0.0, 1.0]))
    with pytest.raises(ConfigError, match="above zero"):
        dopri5(linear, START, torch.tensor([0.0, 1.0]), rtol=0)


@pytest.mark.parametrize(("method", "bound"), [("bosh3", 1e-2), ("dopri5", 2e-3)])
def test_solvers_step_onto_the_last_time(method, bound):
    """An interpolated end would be worse by an order of magnitude at loose tolerances."""
    found = solve(linear, START, torch.tensor([0.0, 1.0]), Solver(method, rtol=1e-3, atol=1e-3)).final
    assert float((found - START @ torch.linalg.matrix_exp(MATRIX).T).abs().max()) < bound


@pytest.mark.parametrize("method", ["euler", "midpoint", "heun", "rk4", "bosh3", "dopri5"])
@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, -0.5)])
def test_a_path_is_nearly_as_good_as_its_steps(method, ends):
    solver = Solver(method, steps=20, rtol=1e-6, atol=1e-6)
    times = torch.linspace(*ends, 3, dtype=torch.float64)
    path = solve(linear, START, times, solver, dense=True).path
    between = torch.linspace(*ends, 17, dtype=torch.float64)
    exact = torch.stack([START @ torch.linalg.matrix_exp(MATRIX * float(t - ends[0])).T for t in between])
    steps = solve(linear, START, between[::8], solver).states
    bound = max(1.5 * float((steps - exact[::8]).abs().max()), 1e-4)
    assert float((path.at(between) - exact).abs().max()) < bound
    with pytest.raises(ConfigError, match="was asked for time 7"):
        path.at([7.0])


def test_the_path_of_dopri5_is_better_than_a_cubic():
    solution = dopri5(linear, START, torch.tensor([0.0, 1.0]), rtol=1e-4, atol=1e-4, dense=True)
    halves = [float(leg.t[0] + leg.step[0] / 2) for leg in solution.path.legs]
    exact = torch.stack([START @ torch.linalg.matrix_exp(MATRIX * t).T for t in halves])
    cubic = torch.stack(
        [(leg.x + leg.end) / 2 + leg.step[0] * (leg.slopes[0] - leg.slopes[1]) / 8 for leg in solution.path.legs]
    )
    rows = torch.arange(1)  # sample 0's own steps
    ours, theirs = ((found - exact)[:, rows].abs().max() for found in (solution.path.at(halves), cubic))
    assert ours < theirs / 3


def test_samples_with_steps_of_their_own_have_paths_of_their_own():
    x = torch.rand(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    between = torch.linspace(0, 1, 9, dtype=torch.float64)
    path = dopri5(stiffness, x, torch.tensor([0.0, 1.0]), rtol=1e-7, atol=1e-7, dense=True).path
    exact = dopri5(stiffness, x, between, rtol=1e-9, atol=1e-9).states
    torch.testing.assert_close(path.at(between), exact, rtol=0, atol=1e-4)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_time_is_looked_for_where_it_is_on_a_long_path(sign, monkeypatch):
    looked, look = [], Leg.at
    monkeypatch.setattr(Leg, "at", lambda leg, t: looked.append(t) or look(leg, t))
    times = sign * torch.arange(101, dtype=torch.float64) / 100
    path = dopri5(linear, START, times, dense=True).path
    between = sign * (torch.arange(100, dtype=torch.float64) + 0.5) / 100
    exact = torch.stack([START @ torch.linalg.matrix_exp(MATRIX * float(t)).T for t in between])
    torch.testing.assert_close(path.at(between), exact, rtol=0, atol=1e-6)
    assert len(path.legs) >= 100
    assert len(looked) < 5 * len(between)


def test_states_do_not_depend_on_other_times_that_were_asked_for():
    few, many = torch.tensor([0.0, 1.0]), torch.linspace(0, 1, 8)
    torch.testing.assert_close(dopri5(linear, START, few).final, dopri5(linear, START, many).final, rtol=0, atol=1e-4)
    fine = rk4(linear, START, torch.linspace(0, 1, 9, dtype=torch.float64)).final
    torch.testing.assert_close(rk4(linear, START, few, steps=8).final, fine, rtol=0, atol=1e-12)


def test_there_and_back_again():
    there = dopri5(linear, START, torch.tensor([0.0, 1.0]), rtol=1e-8, atol=1e-8).final
    back = dopri5(linear, there, torch.tensor([1.0, 0.0]), rtol=1e-8, atol=1e-8).final
    torch.testing.assert_close(back, START, rtol=0, atol=1e-6)


def test_a_batch_may_go_together():
    x = torch.rand(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    times = torch.tensor([0.0, 1.0])
    alone = dopri5(stiffness, x, times, rtol=1e-8, atol=1e-8)
    together = dopri5(stiffness, x, times, rtol=1e-8, atol=1e-8, together=True)
    torch.testing.assert_close(together.final, alone.final, rtol=0, atol=1e-5)
    assert together.accepted < alone.accepted  # counted once, not once a sample


def test_a_field_of_constant_velocity_takes_few_evaluations():
    solution = dopri5(lambda t, x: torch.ones_like(x), START.float(), torch.tensor([0.0, 1.0]))
    assert solution.evaluations <= 26
    torch.testing.assert_close(solution.final, START.float() + 1)


def test_ours_needs_no_more_evaluations_than_torchdiffeq_for_the_same_error():
    exact = START @ torch.linalg.matrix_exp(MATRIX).T
    calls = 0

    def counted(t, x):
        nonlocal calls
        calls += 1
        return linear(t, x)

    theirs = torchdiffeq.odeint(counted, START, torch.tensor([0.0, 1.0]), rtol=1e-5, atol=1e-5, method="dopri5")[-1]
    mine = dopri5(linear, START, torch.tensor([0.0, 1.0]), rtol=2.5e-5, atol=2.5e-5)
    assert mine.evaluations <= calls
    assert (mine.final - exact).abs().max() <= (theirs - exact).abs().max()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Solver("rk5"), "no ODE method 'rk5'"),
        (lambda: Solver(rtol=0), "rtol is 0"),
        (lambda: Solver(atol=math.nan), "atol is nan"),
        (lambda: Solver("rk4", steps=0), "steps is 0"),
        (lambda: solve(linear, START, torch.tensor([0.0, 1.0]), backward="magic"), "backward is 'magic'"),
        (
            lambda: solve(linear, START.clone().requires_grad_(), torch.tensor([0.0, 1.0]), backward="adjoint"),
            "parameters",
        ),
    ],
)
def test_solvers_refuse_what_cannot_be(make, said):
    with pytest.raises(ConfigError, match=said):
        make()


def test_a_stiff_equation_ends_with_advice():
    """Never a hang: the budget ends it, and the message says what to change."""
    with pytest.raises(DivergenceError, match=r"raise max_evaluations=600, loosen rtol=1e-05 and atol=1e-05, or take"):
        dopri5(
            lambda t, x: -1e5 * (x - torch.cos(t.to(x)).reshape(-1, 1)),
            START,
            torch.tensor([0.0, 1.0]),
            max_evaluations=600,
        )
