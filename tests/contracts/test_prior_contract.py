"""What every prior promises to solvers of inverse problems."""

import pytest
import torch
from analytic import White
from contracts.found import classes_with
from torch import nn

from unveil.core.errors import ConfigError
from unveil.core.protocols import Prior
from unveil.core.random import Streams
from unveil.inverse import DenoiserPrior, Windows
from unveil.models.denoiser import BlindDenoiser
from unveil.models.restoration import noising
from unveil.models.restoration.solver_prior import RestorationPrior
from unveil.schedules import LinearVP


def of_denoiser():
    return DenoiserPrior(White(0.2, 0.3, LinearVP()).denoiser(), LinearVP(), levels=10)


class Halving(nn.Module):
    def forward(self, y):
        return y / 2


IMPLEMENTATIONS = {
    DenoiserPrior: of_denoiser,
    Windows: lambda: Windows(of_denoiser(), (8, 8), overlap=4),
    BlindDenoiser: lambda: BlindDenoiser(Halving(), 3),
    RestorationPrior: lambda: RestorationPrior(noising(), lambda y, level, generator: y / 2),
}
ALL = pytest.mark.parametrize("made", IMPLEMENTATIONS.values(), ids=[kind.__name__ for kind in IMPLEMENTATIONS])


def images(n=4, dtype=torch.float32):
    return torch.rand(n, 3, 8, 12, generator=torch.Generator().manual_seed(0), dtype=dtype) * 2 - 1


def test_every_prior_is_here():
    assert set(IMPLEMENTATIONS) == classes_with(Prior)
    assert all(type(made()) is kind for kind, made in IMPLEMENTATIONS.items())


@ALL
def test_levels_rise(made):
    sigmas = list(made().sigmas)
    assert sigmas[0] > 0
    assert sigmas == sorted(set(sigmas))


@ALL
def test_a_level_hides_with_as_much_noise_as_it_says(made):
    prior, x = made(), images(500)
    for level in (1, len(prior.sigmas)):
        hidden = prior.degrade(x, level, torch.Generator().manual_seed(1))
        assert float((hidden - x).std()) == pytest.approx(prior.sigmas[level - 1], rel=0.02)
        half = prior.degrade(x, level, torch.Generator().manual_seed(1), scale=0.5)
        torch.testing.assert_close(half - x, (hidden - x) / 2, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(prior.degrade(x, level, scale=0.0), x, rtol=0, atol=1e-6)


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_type_are_kept_and_what_is_given_is_not_changed(made, dtype):
    prior, x = made(), images(dtype=dtype)
    before = x.clone()
    for level in (1, len(prior.sigmas)):
        hidden = prior.degrade(x, level, Streams(0, 4))
        clean = prior.restore(hidden, level, Streams(0, 4))
        assert hidden.shape == clean.shape == x.shape
        assert hidden.dtype == clean.dtype == dtype
    assert torch.equal(x, before)


@ALL
def test_an_image_does_not_depend_on_its_batch(made):
    prior, x = made(), images()
    streams = Streams(3, 4)
    whole = prior.restore(prior.degrade(x, 2, streams), 2, streams)
    for i in range(4):
        own = Streams(3, [i])
        alone = prior.restore(prior.degrade(x[i : i + 1], 2, own), 2, own)
        torch.testing.assert_close(alone, whole[i : i + 1], rtol=0, atol=1e-5)


@ALL
def test_gradients_pass_through_what_is_restored(made):
    y = images().requires_grad_()
    (slope,) = torch.autograd.grad(made().restore(y, 1, Streams(0, 4)).sum(), y)
    assert bool((slope != 0).all())


@ALL
@pytest.mark.parametrize("beyond", [0, 1])
def test_there_are_no_other_levels(made, beyond):
    prior = made()
    with pytest.raises(ConfigError, match="levels 1 to"):
        prior.degrade(images(), len(prior.sigmas) + 1 if beyond else 0)
