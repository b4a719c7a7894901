"""What every solver of ordinary differential equations promises, on a linear field whose solution is known."""

import inspect
import math
from typing import get_args

import pytest
import torch
from contracts.found import functions
from linear_field import MATRIX, START, Bent, linear

from unveil.core.errors import ConfigError
from unveil.core.protocols import Field
from unveil.ode import Method, Solution, Solver, bosh3, dopri5, euler, heun, midpoint, rk4, solve

IMPLEMENTATIONS = {
    euler: 1,
    midpoint: 2,
    heun: 2,
    rk4: 4,
    bosh3: 3,
    dopri5: 5,
}
"""Each with its order."""
ALL = pytest.mark.parametrize("solver", IMPLEMENTATIONS, ids=lambda solver: solver.__name__)
FINE = torch.linspace(0, 1, 65, dtype=torch.float64)


def adaptive(solver):
    return "rtol" in inspect.signature(solver).parameters


def exact(gap):
    return START @ torch.linalg.matrix_exp(MATRIX * gap).T


def test_every_solver_is_here():
    assert set(IMPLEMENTATIONS) == functions(
        "ode", first=Field, takes=("x", "times"), lacks=("solver", "tableau"), gives=Solution
    )
    assert {solver.__name__ for solver in IMPLEMENTATIONS} == set(get_args(Method))


@ALL
@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, 0.2)])
def test_it_has_its_order_on_a_linear_field(solver, ends):
    """Twice the steps divide the error by two to the power of the order; a tolerance asks for steps in that power."""
    order, times = IMPLEMENTATIONS[solver], torch.tensor(ends, dtype=torch.float64)

    if adaptive(solver):

        def evaluations(tolerance):
            return solver(linear, START, times, rtol=tolerance, atol=tolerance).evaluations

        found = 4 / math.log10(evaluations(1e-11) / evaluations(1e-7))
        assert found == pytest.approx(order, rel=0.15)
    else:

        def error(steps):
            return float((solver(linear, START, times, steps=steps).final - exact(ends[1] - ends[0])).abs().max())

        assert math.log2(error(40) / error(80)) == pytest.approx(order, abs=0.25)


@ALL
@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.5, -1.0)])
def test_it_lands_on_every_time(solver, ends):
    times = torch.linspace(*ends, 5, dtype=torch.float64)
    fine = {"rtol": 1e-8, "atol": 1e-8} if adaptive(solver) else {"steps": 200}
    solution = solver(linear, START, times, **fine)
    assert solution.states.shape == (5, *START.shape)
    assert torch.equal(solution.states[0], START)
    assert torch.equal(solution.states[-1], solution.final)
    for t, state in zip(times, solution.states, strict=True):
        tolerance = 1e-2 if solver is euler else 1e-4
        torch.testing.assert_close(state, exact(float(t - times[0])), rtol=tolerance, atol=tolerance)


@ALL
def test_a_sample_does_not_depend_on_its_batch(solver):
    field = Bent()
    whole = solver(field, START, FINE[::16]).states
    for i in range(len(START)):
        alone = solver(field, START[i : i + 1], FINE[::16]).states
        torch.testing.assert_close(alone[:, 0], whole[:, i], rtol=0, atol=1e-12)


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3,), (2, 1, 4, 4)])
def test_shape_and_type_are_kept_and_what_is_given_is_not_changed(solver, dtype, shape):
    x = torch.ones(shape, dtype=dtype)
    final = solver(lambda t, x: -x, x, FINE[::16]).final
    assert (final.shape, final.dtype) == (x.shape, dtype)
    assert torch.equal(x, torch.ones(shape, dtype=dtype))


@ALL
def test_gradients_flow_to_the_start_and_to_the_field(solver):
    field, x = Bent(), START.clone().requires_grad_()
    slopes = torch.autograd.grad(solver(field, x, FINE[::16]).final.sum(), (x, *field.parameters()))
    assert all(bool(slope.isfinite().all()) and float(slope.abs().max()) > 0 for slope in slopes)


@ALL
def test_it_counts_what_it_asks(solver):
    asked = []

    def counted(t, x):
        asked.append(t)
        return linear(t, x)

    solution = solver(counted, START, FINE[::16])
    assert solution.evaluations == len(asked)


@ALL
def test_solve_calls_it_by_its_name(solver):
    options = {"rtol": 1e-5, "atol": 1e-5} if adaptive(solver) else {"steps": 4}
    mine = solver(linear, START, FINE[::16], **options).final
    assert torch.equal(solve(linear, START, FINE[::16], Solver(solver.__name__, **options)).final, mine)


@ALL
def test_times_that_turn_back_are_refused(solver):
    with pytest.raises(ConfigError, match="none twice"):
        solver(linear, START, torch.tensor([0.0, 1.0, 0.5]))
