"""Chains that may refuse a step draw from the energy exactly."""

import math

import pytest
import torch

from unveil.core.errors import DivergenceError
from unveil.core.random import Streams
from unveil.mcmc import Trace, langevin, mala


def gaussian(x):
    return x.square().flatten(1).sum(1) / 2


@pytest.mark.parametrize(("eps", "acceptance"), [(0.5, 0.990), (1.0, 0.921), (1.5, 0.745)])
def test_the_bias_of_langevin_is_gone_and_as_many_are_taken_as_theory_says(eps, acceptance):
    trace = Trace()
    x = mala(
        gaussian, torch.randn(100_000, 1, generator=torch.Generator().manual_seed(1)), steps=40, step_size=eps**2,
        generator=torch.Generator().manual_seed(0), trace=trace,
    )  # fmt: skip
    assert abs(float(x.var()) - 1) < 0.015
    assert abs(float(x.mean())) < 4 / math.sqrt(len(x))
    assert abs(float(x.pow(4).mean()) - 3) < 0.1
    assert abs(trace.summary()["acceptance"] - acceptance) < 0.01


def test_two_wells_are_filled_as_the_energy_says():
    def energy(x):  # density proportional to 3 N(-1, .4^2) + N(1, .4^2)
        wells = -((x - torch.tensor([-1.0, 1.0])) ** 2) / (2 * 0.4**2) + torch.tensor([3.0, 1.0]).log()
        return -torch.logsumexp(wells, 1)

    x = mala(energy, torch.zeros(40_000, 1), steps=400, step_size=0.5, generator=torch.Generator().manual_seed(0))
    assert abs(float((x < 0).float().mean()) - (0.75 * 0.99379 + 0.25 * 0.00621)) < 0.01
    unadjusted = langevin(
        energy, torch.zeros(40_000, 1), steps=400, step_size=0.5, generator=torch.Generator().manual_seed(0)
    )
    assert float(unadjusted.var()) > 1.5 * float(x.var())  # what is exact in the one is not in the other


def test_proposals_without_a_density_are_refused():
    def energy(x):  # a half Gaussian
        return torch.where(x[:, 0] > 0, x.square().sum(1) / 2, math.inf)

    x = mala(energy, torch.ones(100_000, 1), steps=60, step_size=1.0, generator=torch.Generator().manual_seed(0))
    assert (x > 0).all()
    assert abs(float(x.mean()) - math.sqrt(2 / math.pi)) < 0.015

    def pit(x):
        return torch.where(x[:, 0] > 1, -math.inf, 0 * x[:, 0])

    assert (mala(pit, torch.zeros(1000, 1), steps=20, step_size=1.0) <= 1).all()
    with pytest.raises(DivergenceError, match="start"):
        mala(energy, -torch.ones(2, 1), steps=1, step_size=1.0)


def test_each_sample_takes_or_refuses_its_own_step():
    start = torch.randn(6, 4)
    whole = mala(gaussian, start, steps=9, step_size=1.5, generator=Streams(2, 6))
    parts = [
        mala(gaussian, start[i : i + 3], steps=9, step_size=1.5, generator=Streams(2, range(i, i + 3))) for i in (0, 3)
    ]
    assert torch.equal(torch.cat(parts), whole)
    taken = []
    mala(
        gaussian, start, steps=9, step_size=1.5, generator=Streams(2, 6), trace=(trace := Trace()),
        watch=lambda k, n, x: taken.append(x),
    )  # fmt: skip
    moved = [(a != b).any(1) for a, b in zip(taken, [start, *taken], strict=False)]
    assert all(torch.equal(a, b) for a, b in zip(moved, trace.accepted, strict=True))
