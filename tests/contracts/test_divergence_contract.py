"""What every estimate of a field's divergence promises."""

from itertools import product

import pytest
import torch
from contracts.found import functions
from linear_field import MATRIX, START, Bent, linear

from unveil.core.protocols import Field
from unveil.ode import exact_divergence, hutchinson_divergence
from unveil.ode.divergence import Divergence

SIGNS = torch.tensor(list(product((-1.0, 1.0), repeat=5)), dtype=torch.float64)
"""All probes of signs there are, so that their mean is no estimate."""
T = torch.zeros((), dtype=torch.float64)


def probed(x, row):
    return hutchinson_divergence(SIGNS[row].expand_as(x))


IMPLEMENTATIONS = {
    exact_divergence: lambda x, row: exact_divergence,
    hutchinson_divergence: probed,
}
"""Each as (x, probe) -> a divergence for samples x."""
ALL = pytest.mark.parametrize("made", IMPLEMENTATIONS.values(), ids=[kind.__name__ for kind in IMPLEMENTATIONS])


def test_every_estimate_is_here():
    pair = tuple[torch.Tensor, torch.Tensor]
    assert set(IMPLEMENTATIONS) == functions("ode", gives=Divergence) | functions(
        "ode", first=Field, takes=("t", "x"), gives=pair
    )


@ALL
def test_it_is_the_trace_on_average_over_all_probes(made):
    mean = torch.stack([made(START, row)(linear, T, START)[1] for row in range(len(SIGNS))]).mean(0)
    torch.testing.assert_close(mean, MATRIX.trace().expand(len(START)), rtol=0, atol=1e-12)


@ALL
def test_of_a_curved_field_too(made):
    field = Bent()
    mean = torch.stack([made(START, row)(field, T, START)[1] for row in range(len(SIGNS))]).mean(0)
    jacobians = [torch.autograd.functional.jacobian(lambda x: field(T, x[None])[0], row) for row in START]
    torch.testing.assert_close(mean.detach(), torch.stack([j.trace() for j in jacobians]), rtol=0, atol=1e-12)


@ALL
def test_it_gives_the_velocity_too_and_changes_nothing(made):
    before = START.clone()
    velocity, change = made(START, 3)(linear, T, START)
    assert torch.equal(velocity, linear(T, START))
    assert change.shape == (len(START),)
    assert torch.equal(START, before)


@ALL
def test_samples_do_not_see_each_other(made):
    field = Bent()
    _, whole = made(START, 3)(field, T, START)
    alone = torch.cat([made(row, 3)(field, T, row)[1] for row in START.split(1)])
    torch.testing.assert_close(alone, whole, rtol=0, atol=1e-12)


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_is_kept(made, dtype):
    x = START.to(dtype)
    matrix = MATRIX.to(dtype)
    found = made(x, 3)
    if made is probed:
        found = hutchinson_divergence(SIGNS[3].to(dtype).expand_as(x))
    velocity, change = found(lambda t, x: x @ matrix.T, T, x)
    assert velocity.dtype == change.dtype == dtype


@ALL
def test_it_can_be_trained_through_and_keeps_nothing_elsewhere(made):
    field = Bent()
    _, change = made(START, 3)(field, T, START)
    slopes = torch.autograd.grad(change.sum(), list(field.parameters()))
    assert all(bool(slope.isfinite().all()) and float(slope.abs().max()) > 0 for slope in slopes)
    with torch.no_grad():
        assert not any(value.requires_grad for value in made(START, 3)(field, T, START))
