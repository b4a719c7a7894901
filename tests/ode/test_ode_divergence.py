"""The divergence that a state gathers, exact or along a probe."""

import math
from itertools import product

import pytest
import torch
from linear_field import MATRIX, START, Bent, linear

from unveil.ode import Augmented

SIGNS = torch.tensor(list(product((-1.0, 1.0), repeat=5)), dtype=torch.float64)
"""All probes of signs there are, so that their mean is no estimate."""
T = torch.zeros((), dtype=torch.float64)
BOTH = pytest.mark.parametrize("probed", [False, True], ids=["exact", "probed"])


def change(field, x, probe=None):
    """The velocity at samples x, and the divergence there."""
    joint = Augmented(field, x.shape[1:], probe)
    state = joint(T, joint.start(x))
    return state[:, :-1], state[:, -1]


def probe_of(probed, x, row=3):
    return SIGNS[row].to(x).expand_as(x) if probed else None


def mean_over_probes(field, probed):
    rows = range(len(SIGNS)) if probed else range(1)
    return torch.stack([change(field, START, probe_of(probed, START, row))[1] for row in rows]).mean(0)


@BOTH
def test_it_is_the_trace_on_average_over_all_probes(probed):
    found = mean_over_probes(linear, probed)
    torch.testing.assert_close(found, MATRIX.trace().expand(len(START)), rtol=0, atol=1e-12)


@BOTH
@pytest.mark.parametrize("field", [Bent(), lambda t, x: torch.sin(x @ MATRIX.T) * x.roll(1, 1)], ids=["net", "sines"])
def test_of_a_curved_field_too(probed, field):
    jacobians = [torch.autograd.functional.jacobian(lambda x: field(T, x[None])[0], row) for row in START]
    found = mean_over_probes(field, probed).detach()
    torch.testing.assert_close(found, torch.stack([j.trace() for j in jacobians]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("signs", [True, False])
def test_probes_scatter_as_theory_has_it(signs):
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(25_600, 5, generator=generator, dtype=torch.float64)
    _, each = change(linear, START[:1].expand(25_600, 5), drawn.sign() if signs else drawn)
    symmetric = (MATRIX + MATRIX.T) / 2
    variance = 2 * symmetric.square().sum() - (2 * symmetric.diagonal().square().sum() if signs else 0)
    assert float(each.mean()) == pytest.approx(float(MATRIX.trace()), abs=4 * float(each.std()) / math.sqrt(25_600))
    assert float(each.var()) == pytest.approx(float(variance), rel=0.05)


@BOTH
def test_it_gives_the_velocity_too_and_changes_nothing(probed):
    before = START.clone()
    velocity, found = change(linear, START, probe_of(probed, START))
    torch.testing.assert_close(velocity, linear(T, START), rtol=0, atol=1e-12)
    assert found.shape == (len(START),)
    assert torch.equal(START, before)


@BOTH
def test_samples_do_not_see_each_other(probed):
    field = Bent()
    _, whole = change(field, START, probe_of(probed, START))
    alone = torch.cat([change(field, row, probe_of(probed, row))[1] for row in START.split(1)])
    torch.testing.assert_close(alone, whole, rtol=0, atol=1e-12)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_is_kept(probed, dtype):
    x, matrix = START.to(dtype), MATRIX.to(dtype)
    velocity, found = change(lambda t, x: x @ matrix.T, x, probe_of(probed, x))
    assert velocity.dtype == found.dtype == dtype


@BOTH
def test_it_can_be_trained_through_and_keeps_nothing_elsewhere(probed):
    field, x = Bent(), START.clone().requires_grad_()
    _, found = change(field, x, probe_of(probed, x))
    slopes = torch.autograd.grad(found.sum(), [x, *field.parameters()])
    assert all(bool(slope.isfinite().all()) and float(slope.abs().max()) > 0 for slope in slopes)
    with torch.no_grad():
        assert not any(value.requires_grad for value in change(field, START, probe_of(probed, START)))
