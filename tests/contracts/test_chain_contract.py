"""What every Markov chain on an energy promises: its draws, the same alone and in company, are the energy's own."""

import pytest
import torch
from contracts.found import functions
from seeds import seeded

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.random import Streams
from unveil.mcmc import LangevinStep, joint_langevin, langevin, mala

MEAN, VARIANCE = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 2.0])


def energy(x):
    """Of independent Gaussians."""
    return ((x - MEAN.to(x)) ** 2 / (2 * VARIANCE.to(x))).sum(1)


def by_langevin(x, steps=600, energy=energy, **more):
    return langevin(energy, x, steps=steps, step_size=0.05, **more)


def by_mala(x, steps=60, energy=energy, **more):
    return mala(energy, x, steps=steps, step_size=0.5, **more)


def by_joint_langevin(x, steps=600, energy=energy, **more):
    parts = [part.contiguous() for part in x.split(1, dim=1)] if x.shape[1:] == (2,) else [x]
    told = more.pop("watch", None)
    if told is not None:
        more["watch"] = lambda done, total, parts: told(done, total, torch.cat(parts, 1))
    moves = [LangevinStep(0.05)] * len(parts)
    return torch.cat(joint_langevin(lambda *x: energy(torch.cat(x, 1)), parts, moves, steps=steps, **more), 1)


IMPLEMENTATIONS = {
    langevin: by_langevin,
    mala: by_mala,
    joint_langevin: by_joint_langevin,
}
ALL = pytest.mark.parametrize("chain", IMPLEMENTATIONS.values(), ids=[kind.__name__ for kind in IMPLEMENTATIONS])


def test_every_chain_is_here():
    assert set(IMPLEMENTATIONS) == functions("mcmc", takes=("energy", "steps", "generator"))


@ALL
def test_it_draws_from_the_energy_wherever_it_starts(chain):
    drawn = chain(torch.full((4000, 2), 3.0), generator=seeded())
    torch.testing.assert_close(drawn.mean(0), MEAN, rtol=0, atol=0.1)
    torch.testing.assert_close(drawn.var(0), VARIANCE, rtol=0.1, atol=0)
    assert abs(float(torch.corrcoef(drawn.T)[0, 1])) < 0.06


@ALL
def test_a_chain_does_not_depend_on_its_company(chain):
    start = torch.randn(9, 2, generator=seeded())
    whole = chain(start, steps=20, generator=Streams(3, 9))
    parts = [chain(start[i : i + 4], steps=20, generator=Streams(3, range(i, min(i + 4, 9)))) for i in (0, 4, 8)]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-5)


@ALL
def test_the_same_seed_gives_the_same_draws_and_the_start_stays(chain):
    start = torch.randn(5, 2, generator=seeded())
    before = start.clone()
    first, again = (chain(start, steps=20, generator=seeded(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(start, before)
    assert not first.requires_grad


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_is_kept(chain, dtype):
    drawn = chain(torch.zeros(3, 2, dtype=dtype), steps=3, generator=seeded())
    assert (drawn.shape, drawn.dtype) == ((3, 2), dtype)


@ALL
def test_parameters_get_no_gradients(chain):
    weight = torch.ones((), requires_grad=True)
    chain(torch.zeros(3, 2), steps=3, energy=lambda x: weight * energy(x), generator=seeded())
    assert weight.grad is None


@ALL
def test_it_tells_of_every_step(chain):
    said = []
    last = chain(torch.zeros(3, 2), steps=5, generator=seeded(), watch=lambda *told: said.append(told))
    assert [told[:2] for told in said] == [(k, 5) for k in range(1, 6)]
    assert torch.equal(said[-1][2], last)


@ALL
def test_an_energy_must_give_a_number_for_each_sample(chain):
    with pytest.raises(ShapeError, match="one number a sample"):
        chain(torch.zeros(3, 2), steps=1, energy=lambda x: x.sum(), generator=seeded())


@ALL
def test_it_takes_a_step_or_more(chain):
    with pytest.raises(ConfigError, match="steps"):
        chain(torch.zeros(3, 2), steps=0, generator=seeded())
