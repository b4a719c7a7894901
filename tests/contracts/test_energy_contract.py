"""What every network that is an energy promises: a number a sample, whose slope is right and the sample's own."""

import inspect

import pytest
import torch
from contracts.found import public
from seeds import seeded
from torch import nn

from unveil.mcmc import energy_gradient, langevin
from unveil.networks import ImageEnergy, PatchEnergy, PointEnergy


def image_energy():
    return ImageEnergy(1, widths=(8, 8), downs=2), (1, 8, 8)


def patch_energy():
    """The energy of an image is that of all its patches."""
    network = PatchEnergy(1, (6, 6))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return nn.Sequential(network, nn.Flatten(), Summed()), (1, 8, 8)


def point_energy():
    return PointEnergy(2, hidden=16), (2,)


class Summed(nn.Module):
    def forward(self, x):
        return x.sum(1)


IMPLEMENTATIONS = {
    ImageEnergy: image_energy,
    PatchEnergy: patch_energy,
    PointEnergy: point_energy,
}


@pytest.fixture(params=IMPLEMENTATIONS.values(), ids=[kind.__name__ for kind in IMPLEMENTATIONS])
def made(request):
    """An energy in double precision, and some samples."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        energy, shape = request.param()
    return energy.double().eval(), torch.randn(4, *shape, generator=seeded(), dtype=torch.float64)


def test_every_energy_is_here():
    networks = {thing for thing in public() if inspect.isclass(thing) and issubclass(thing, nn.Module)}
    assert set(IMPLEMENTATIONS) == {thing for thing in networks if thing.__name__.endswith("Energy")}


def test_it_gives_a_number_for_each_sample(made):
    energy, x = made
    assert energy(x).shape == (4,)
    assert energy(x).dtype == torch.float64
    assert energy.float()(x.float()).dtype == torch.float32


def test_its_slope_is_that_of_finite_differences(made):
    energy, x = made
    energies, slope = energy_gradient(energy, x)
    torch.testing.assert_close(energies, energy(x).detach())
    for seed in range(5):
        way = torch.randn(x.shape, generator=seeded(seed + 1), dtype=torch.float64)
        rise = (energy(x + 1e-5 * way) - energy(x - 1e-5 * way)) / 2e-5
        torch.testing.assert_close((slope * way).flatten(1).sum(1), rise.detach(), rtol=1e-5, atol=1e-7)


def test_its_slope_is_smooth(made):
    """Second derivatives exist, as training through a chain asks for them."""
    energy, x = made
    assert torch.autograd.gradgradcheck(lambda x: energy(x).sum(), x[:1].clone().requires_grad_(), atol=1e-4)


def test_samples_do_not_see_each_other(made):
    energy, x = made
    torch.testing.assert_close(torch.cat([energy(row) for row in x.split(1)]), energy(x), rtol=1e-10, atol=1e-12)


def test_the_same_sample_has_the_same_energy(made):
    energy, x = made
    assert torch.equal(energy(x), energy(x))


def test_a_chain_without_noise_lowers_it(made):
    energy, x = made
    lower = langevin(energy, x, steps=20, step_size=1e-3, noise=0.0)
    assert bool((energy(lower) < energy(x)).all())


def test_its_parameters_learn(made):
    energy, x = made
    slopes = torch.autograd.grad(energy(x).square().sum(), list(energy.parameters()), allow_unused=True)
    assert all(slope is not None and bool(slope.isfinite().all()) for slope in slopes)
