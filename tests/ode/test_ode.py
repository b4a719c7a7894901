import math

import pytest
import torch
import torchdiffeq

from unveil.core.errors import ConfigError, DivergenceError
from unveil.ode import augmented, dopri5, euler, exact_divergence, heun, hutchinson_divergence, rk4

GENERATOR = torch.Generator().manual_seed(0)
MATRIX = torch.randn(5, 5, generator=GENERATOR, dtype=torch.float64) / 2
START = torch.randn(6, 5, generator=GENERATOR, dtype=torch.float64)


def linear(t, x):
    return x @ MATRIX.T


@pytest.mark.parametrize(("solver", "order"), [(euler, 1), (heun, 2), (rk4, 4)])
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

    for solver in (euler, heun, rk4, dopri5):
        calls = 0
        assert solver(field, START, torch.tensor([0.0, 0.5, 1.0])).evaluations == calls


def test_an_empty_batch_stays_empty():
    assert dopri5(linear, START[:0], torch.tensor([0.0, 1.0])).final.shape == (0, 5)


def test_exact_divergence_is_the_trace_of_the_jacobian():
    def field(t, x):
        return torch.sin(x @ MATRIX.T) * x.roll(1, 1)

    velocity, divergence = exact_divergence(field, torch.tensor(0.0), START)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x: field(None, x[None])[0]))(START)
    torch.testing.assert_close(divergence, jacobian.diagonal(dim1=1, dim2=2).sum(1))
    torch.testing.assert_close(velocity, field(None, START))


def test_hutchinson_is_unbiased():
    probes = torch.randn(20_000, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = START[:1].expand(20_000, 5)
    _, each = hutchinson_divergence(probes)(linear, torch.tensor(0.0), x)
    assert float(each.mean()) == pytest.approx(float(MATRIX.trace()), abs=4 * float(each.std()) / math.sqrt(20_000))


def test_augmented_state_carries_the_log_density():
    state = torch.cat([START, torch.zeros(6, 1, dtype=torch.float64)], 1)
    final = dopri5(augmented(linear, torch.Size([5]), probe=False), state, torch.tensor([0.0, 1.0])).final
    torch.testing.assert_close(final[:, 5], MATRIX.trace().expand(6), rtol=0, atol=1e-6)


@pytest.mark.parametrize("times", [[0.0], [0.0, 0.0], [0.0, 1.0, 0.5]])
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
