import math

import pytest
import torch
import torchdiffeq

from unveil.core.errors import ConfigError, DivergenceError
from unveil.ode import (
    Augmented,
    Solver,
    bosh3,
    dopri5,
    euler,
    exact_divergence,
    heun,
    hutchinson_divergence,
    midpoint,
    rk4,
    solve,
)

GENERATOR = torch.Generator().manual_seed(0)
MATRIX = torch.randn(5, 5, generator=GENERATOR, dtype=torch.float64) / 2
START = torch.randn(6, 5, generator=GENERATOR, dtype=torch.float64)


def linear(t, x):
    return x @ MATRIX.T


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
    joint = Augmented(linear, torch.Size([5]))
    _, change, _ = joint.read(dopri5(joint, joint.start(START), torch.tensor([0.0, 1.0])).final)
    torch.testing.assert_close(change, MATRIX.trace().expand(6), rtol=0, atol=1e-6)


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


# --- landing, and the way between ------------------------------------------------------------------------------------


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


# --- gradients -------------------------------------------------------------------------------------------------------


class Bent(torch.nn.Module):
    """A small network whose Jacobian changes with time and place."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.first = torch.nn.Parameter(torch.randn(7, 5, generator=generator, dtype=torch.float64) / 2)
        self.last = torch.nn.Parameter(torch.randn(5, 7, generator=generator, dtype=torch.float64) / 2)

    def forward(self, t, x):
        return torch.tanh(x @ self.first.T + t.to(x).reshape(-1, 1)) @ self.last.T


def gradients(solver, backward, carrying=False, times=(0.0, 0.4, 1.0)):
    net = Bent()
    x = START.clone().requires_grad_()
    field = Augmented(net, torch.Size([5]), torch.ones_like(START), regularised=True) if carrying else net
    start = field.start(x) if carrying else x
    states = solve(field, start, torch.tensor(times), solver, backward=backward, parameters=net.parameters()).states
    loss = (states.square() * torch.linspace(1, 2, states.shape[-1], dtype=torch.float64)).sum()
    loss.backward()
    return torch.cat([x.grad.flatten(), net.first.grad.flatten(), net.last.grad.flatten()])


def apart(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("carrying", [False, True])
@pytest.mark.parametrize("solver", [Solver("rk4", steps=3), Solver("dopri5"), Solver("bosh3", rtol=1e-4, atol=1e-4)])
def test_checkpoints_give_the_gradient_of_plain_backpropagation(solver, carrying):
    assert apart(gradients(solver, "checkpoint", carrying), gradients(solver, "backprop", carrying)) < 1e-12


@pytest.mark.parametrize("carrying", [False, True])
def test_the_adjoint_gives_it_up_to_the_tolerance(carrying):
    exact = gradients(Solver(rtol=1e-9, atol=1e-9), "backprop", carrying)
    for tolerance, bound in ((1e-6, 1e-3), (1e-5, 1e-3), (1e-3, 0.05)):
        solver = Solver(rtol=tolerance, atol=tolerance)
        assert apart(gradients(solver, "adjoint", carrying), exact) < bound
        assert apart(gradients(solver, "backprop", carrying), exact) < bound
    assert apart(gradients(Solver("rk4", steps=20), "adjoint", carrying), exact) < 1e-5


def test_the_adjoint_agrees_with_torchdiffeq():
    net, x = Bent(), START.clone().requires_grad_()
    states = torchdiffeq.odeint_adjoint(net, x, torch.tensor([0.0, 0.4, 1.0]), rtol=1e-9, atol=1e-9)
    (states.square() * torch.linspace(1, 2, 5, dtype=torch.float64)).sum().backward()
    theirs = torch.cat([x.grad.flatten(), net.first.grad.flatten(), net.last.grad.flatten()])
    assert apart(gradients(Solver(rtol=1e-9, atol=1e-9), "adjoint"), theirs) < 1e-6


def test_a_gradient_does_not_pass_through_the_choice_of_steps():
    """Differences of the solution are its derivative, up to the tolerance."""

    def final(scale):
        return dopri5(linear, scale * START, torch.tensor([0.0, 1.0]), rtol=1e-8, atol=1e-8).final.square().sum()

    scale = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(final(scale), scale)
    assert float(slope) == pytest.approx(float(final(1.001) - final(0.999)) / 0.002, rel=1e-5)


@pytest.mark.parametrize("backward", ["checkpoint", "adjoint"])
def test_parameters_that_stand_still_get_no_gradient(backward):
    net, x = Bent(), START.clone().requires_grad_()
    net.first.requires_grad_(False)
    solve(net, x, torch.tensor([0.0, 1.0]), backward=backward, parameters=net.parameters()).final.sum().backward()
    assert net.first.grad is None
    assert float(net.last.grad.norm()) > 0


def test_evaluations_of_a_checkpointed_solution_are_counted():
    net, x = Bent(), START.clone().requires_grad_()
    counts = [
        solve(net, x, torch.tensor([0.0, 1.0]), backward=how, parameters=net.parameters()).evaluations
        for how in ("backprop", "checkpoint", "adjoint")
    ]
    assert len(set(counts)) == 1


# --- what a state carries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["euler", "midpoint", "heun", "rk4", "bosh3", "dopri5"])
def test_the_integral_of_the_trace_is_exact_for_linear_fields(method):
    joint = Augmented(linear, torch.Size([5]))
    solution = solve(joint, joint.start(START), torch.tensor([0.0, 1.0]), Solver(method))
    assert float((joint.read(solution.final.detach())[1] - MATRIX.trace()).abs().max()) < 1e-6


@pytest.mark.parametrize("signs", [True, False])
def test_hutchinson_scatters_as_theory_has_it(signs):
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(25_600, 5, generator=generator, dtype=torch.float64)
    probes = drawn.sign() if signs else drawn
    x = START[:1].expand(25_600, 5)
    _, each = hutchinson_divergence(probes)(linear, torch.tensor(0.0), x)
    symmetric = (MATRIX + MATRIX.T) / 2
    variance = 2 * symmetric.square().sum() - (2 * symmetric.diagonal().square().sum() if signs else 0)
    assert float(each.mean()) == pytest.approx(float(MATRIX.trace()), abs=4 * float(each.std()) / 160)
    assert float(each.var()) == pytest.approx(float(variance), rel=0.05)


def test_regularisers_of_a_linear_field():
    """dx/dt = a x: half the squared speed is a^2 e^{2 a t} x^2 / 2, and the Jacobian's squares are a^2 for each number."""
    a = 0.7
    for probe in (None, torch.ones_like(START)):
        joint = Augmented(lambda t, x: a * x, torch.Size([5]), probe, regularised=True)
        final = dopri5(joint, joint.start(START), torch.tensor([0.0, 1.0]), rtol=1e-9, atol=1e-9).final
        _, change, more = joint.read(final)
        kinetic = START.square().mean(1) * a * (math.exp(2 * a) - 1) / 4
        torch.testing.assert_close(more[:, 0], kinetic, rtol=1e-6, atol=0)
        torch.testing.assert_close(more[:, 1], torch.full((6,), a**2, dtype=torch.float64), rtol=1e-9, atol=0)
        torch.testing.assert_close(change, torch.full((6,), 5 * a, dtype=torch.float64))


def test_regularisers_move_no_step():
    def steep(t, x):
        return x + 1e4 * torch.sin(40 * t.to(x)).reshape(-1, 1)

    counts = []
    for regularised in (False, True):
        joint = Augmented(steep, torch.Size([5]), torch.ones_like(START), regularised)
        solution = dopri5(joint, joint.start(START), torch.tensor([0.0, 1.0]), norm=joint.norm)
        counts.append(solution.accepted)
    assert counts[0] == pytest.approx(counts[1], rel=0.1)


def test_a_divergence_can_be_differentiated_where_gradients_are_recorded():
    net, x = Bent(), START.clone().requires_grad_()
    _, trace = exact_divergence(net, torch.tensor(0.5), x)
    assert all(bool(slope.abs().sum() > 0) for slope in torch.autograd.grad(trace.sum(), [x, *net.parameters()]))
    with torch.no_grad():
        velocity, trace = exact_divergence(net, torch.tensor(0.5), x)
    assert not velocity.requires_grad
    assert not trace.requires_grad


# --- refusals --------------------------------------------------------------------------------------------------------


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
