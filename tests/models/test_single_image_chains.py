"""Chains of the energy-based model of a single image, and the samples they end in."""

import pytest
import torch
from single_image_models import SIZE, lively

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.mcmc import langevin
from unveil.models.single_image_ebm import SingleImageEBM
from unveil.models.single_image_ebm.canvas import framed, unframed
from unveil.networks.patch_energy import PatchEnergy


@pytest.fixture(scope="module")
def ready():
    return lively()


def test_decoupled_noise_has_the_variance_of_theory():
    eta, nu, s = 0.1, 0.05, 0.7
    streams = Streams(0, 4000)
    x = langevin(
        lambda x: (x.square() / (2 * s**2)).sum(1),
        torch.zeros(4000, 5),
        steps=200,
        step_size=eta,
        noise=nu,
        generator=streams,
    )
    expected = nu**2 / (1 - (1 - eta / (2 * s**2)) ** 2)
    assert x.var().item() == pytest.approx(expected, rel=0.02)


def test_without_noise_a_chain_runs_to_the_minimum_within_bounds():
    m = torch.tensor([0.3, 2.0])
    x = langevin(
        lambda x: (x - m).square().sum(1), torch.zeros(1, 2), steps=200, step_size=0.1, noise=0.0, bounds=(-1, 1)
    )
    torch.testing.assert_close(x, torch.tensor([[0.3, 1.0]]))


def test_a_frame_is_put_on_and_taken_off():
    x = torch.randn(2, 3, 6, 7)
    assert framed(x, 4).shape == (2, 3, 14, 15)
    assert framed(x, 4)[..., 0, :].abs().sum() == 0
    assert torch.equal(unframed(framed(x, 4), 4), x)


def test_a_sample_is_a_function_of_its_noise_alone(ready):
    four = ready.sample(4, generator=Streams(5, 4))
    again = ready.sample(4, generator=Streams(5, 4))
    assert torch.equal(four, again)
    for i in range(4):
        torch.testing.assert_close(ready.sample(1, generator=Streams(5, [i])), four[i : i + 1], atol=1e-5, rtol=0)
    assert not torch.equal(four, ready.sample(4, generator=Streams(6, 4)))
    assert not torch.equal(four, ready.sample(4, generator=Streams(5, 4), noise=0.05))
    assert four.shape == (4, 3, *SIZE)
    assert four.abs().max() <= 1


@pytest.mark.parametrize("size", [(12, 15), (25, 31), (72, 30), (24, 90), (37, 23)])
def test_samples_have_any_size(ready, size):
    assert ready.sample(1, size=size).shape == (1, 3, *size)


def test_the_smallest_size_that_is_named_is_the_smallest():
    ready = SingleImageEBM([PatchEnergy(3, (4,)) for _ in range(2)], [(20, 27), (51, 64)])
    ready.trained.fill_(2)
    for height, width in ((4, 100), (100, 4)):
        with pytest.raises(ConfigError, match="too small") as refusal:
            ready.sizes_for((height, width))
        tall, wide = map(int, str(refusal.value).rstrip(".").split("it makes is ")[1].split(" x "))
        assert min(ready.sizes_for((tall, wide))[0]) >= 5
        for smaller in ((tall - 1, wide), (tall, wide - 1)):
            with pytest.raises(ConfigError, match="too small"):
                ready.sizes_for(smaller)


def test_a_wider_sample_has_the_rows_of_the_others(ready):
    usual, wide = (ready.sample(12, size=(24, width), generator=Streams(2, 12)) for width in (30, 90))
    for x in (usual, wide):
        assert x.std((0, 1, 3)).min() > 0.01
    rows = [x.mean((0, 1, 3)) for x in (usual, wide)]
    torch.testing.assert_close(rows[0], rows[1], atol=0.12, rtol=0)
    torch.testing.assert_close(usual.std((0, 1, 3)), wide.std((0, 1, 3)), atol=0.12, rtol=0)


def test_using_a_model_changes_nothing_of_it(ready):
    before = {name: value.clone() for name, value in ready.state_dict().items()}
    ready.train()
    ready.sample(2)
    ready.recover()
    ready.super_resolve(factor=1.5)
    assert ready.energies[0].training
    ready.eval()
    assert all(torch.equal(value, before[name]) for name, value in ready.state_dict().items())
    assert all(parameter.grad is None for parameter in ready.parameters())


def test_starting_from_the_image_keeps_its_layout(ready):
    top = ready.scales - 1
    near = ready.sample(2, start_scale=top, inject_noise=0.02, steps=1)
    assert (near - ready.pyramid[-1]).square().mean() < (ready.sample(2) - ready.pyramid[-1]).square().mean()
    assert not torch.equal(near[0], near[1])
    same = ready.sample(2, start_scale=top, inject_noise=0.0)
    assert torch.equal(same[0], same[1])


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"size": (4, 30)}, ConfigError, "too small for this model; the smallest it makes is 10 x 1"),
        ({"size": (0, 30)}, ConfigError, "height is 0"),
        ({"start_scale": 9}, ConfigError, "Scale 9 cannot be started at; this model takes 0"),
        ({"start_scale": -1}, ConfigError, "Scale -1 cannot"),
        ({"steps": 0}, ConfigError, "steps is 0"),
    ],
)
def test_samples_that_cannot_be_are_refused(ready, options, error, said):
    with pytest.raises(error, match=said):
        ready.sample(1, **options)
