"""What the network of a diffusion on codes is shown, and what is drawn by it."""

import pytest
import torch
from codec_models import PLANES, SIZE, digit_codec, network, small, some_digits, spoken
from torch import nn

from unveil.core.random import Streams
from unveil.models.codec_diffusion import CodecDiffusion
from unveil.schedules import Discrete


@pytest.fixture(scope="module")
def digits():
    return some_digits()


@pytest.fixture(scope="module")
def codec():
    return digit_codec()


@pytest.mark.parametrize("codes", ["continuous", "categorical"])
def test_no_estimate_before_is_an_estimate_of_zeros(codec, codes):
    model = spoken(small(codec, codes))
    z_t, t = torch.randn(3, *model.latent_shape), torch.tensor(0.4)
    plain = model.denoise(z_t, t)
    assert torch.equal(plain, model.denoise(z_t, t, torch.zeros_like(z_t)))
    assert not torch.equal(plain, model.denoise(z_t, t, torch.ones_like(z_t)))


def test_a_walk_shows_the_network_its_last_estimate(codec):
    model, seen = spoken(small(codec)), []
    network = model.net

    class Watched(nn.Module):
        divisor = network.divisor

        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, x, t):
            seen.append(x.clone())
            return self.inner(x, t)

    model.net = Watched()
    model.sample(2, steps=3, generator=Streams(0, 2))
    before, state = seen[1].chunk(2, 1)
    assert not seen[0].chunk(2, 1)[0].any()
    first = seen[0].chunk(2, 1)[1]
    torch.testing.assert_close(before, model.denoise(first, torch.tensor(1.0, dtype=torch.float64)).clamp(-1, 1))
    assert state.shape == first.shape


def test_half_of_the_trainings_steps_see_an_estimate(codec, digits):
    model, x = spoken(small(codec)), digits.batch(range(2))[0]
    shown = []
    model.net.register_forward_pre_hook(lambda module, given: shown.append(bool(given[0].chunk(2, 1)[0].any())))
    for step in range(40):
        model.loss(x, Streams(step, 2))
    assert 8 < sum(shown) < 32
    assert len(shown) == 40 + sum(shown)  # each takes a first look, which itself is shown nothing


@pytest.mark.parametrize("codes", ["continuous", "categorical"])
def test_a_sample_does_not_depend_on_its_company(codec, codes):
    model = spoken(small(codec, codes))
    together = model.sample_codes(4, steps=4, generator=Streams(7, 4))
    assert torch.equal(together[2:], model.sample_codes(2, steps=4, generator=Streams(7, [2, 3])))
    assert together.shape == (4, *model.latent_shape)
    assert model.sample(0).shape == (0, 1, 8, 8)


def test_the_temperature_decides_how_adventurous_codes_are(codec):
    model = spoken(small(codec))
    cold, colder = (model.sample_codes(8, steps=1, generator=Streams(0, 8), temperature=t) for t in (0.0, 0.01))
    assert float((cold == colder).float().mean()) > 0.9
    hot = model.sample_codes(8, steps=1, generator=Streams(0, 8), temperature=50.0)
    spread = torch.bincount(hot.flatten(), minlength=SIZE)
    assert int((spread > 0).sum()) == SIZE


def test_pictures_are_continued_to_whole_patches_and_cut_again(codec):
    model = CodecDiffusion(network(), codec, Discrete.linear(50), (1, 11, 5))
    assert model.latent_shape == (PLANES, 4, 2)
    x = torch.rand(2, 1, 11, 5) * 2 - 1
    assert model.encode(x).shape == (2, PLANES, 4, 2)
    assert model.decode(model.encode(x)).shape == x.shape
    assert model.sample(3, steps=2).shape == (3, 1, 11, 5)
    model.loss(x).backward()
