"""Codes as numbers, and draws of them."""

import math

import pytest
import torch
from codec_models import SIZE

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.models.codec_diffusion import disturbed, draw, gumbel_like, gumbel_softmax, to_codes, to_latents


@pytest.mark.parametrize("size", [2, 16, 64, 256])
def test_codes_come_back_from_their_latents(size):
    codes = torch.arange(size)
    z = to_latents(codes, size)
    assert (float(z[0]), float(z[-1])) == (-1, 1)
    assert torch.equal(to_codes(z, size), codes)
    half = 1 / (size - 1)
    assert torch.equal(to_codes(z + 0.99 * half, size), codes)
    assert torch.equal(to_codes(z[:-1] + 1.01 * half, size), codes[1:])
    assert to_codes(torch.tensor([-3.0, 3.0]), size).tolist() == [0, size - 1]


def test_disturbed_codes_are_off_by_as_much_as_was_asked():
    codes = torch.full((400, 1, 20, 20), 128)
    off = disturbed(codes, 256, (3.0, 3.0), torch.Generator().manual_seed(0)) - codes
    assert off.dtype == torch.int64
    assert float(off.double().std()) == pytest.approx(math.sqrt(9 + 1 / 12), rel=0.01)  # rounding adds its own variance
    each = disturbed(codes, 256, (0.5, 8.0), torch.Generator().manual_seed(0)).double().flatten(1).std(1)
    assert 0.4 < float(each.min()) < 1 < 7 < float(each.max()) < 9
    edge = disturbed(torch.zeros(4, 1, 8, 8, dtype=torch.int64), 16, (30.0, 30.0))
    assert (int(edge.min()), int(edge.max())) == (0, 15)


def test_draws_are_as_frequent_as_their_odds():
    logits, n = torch.tensor([0.0, 1.0, -1.0, 0.5]), 200_000
    for temperature in (1.0, 2.2):
        odds = (logits / temperature).softmax(0)
        drawn = draw(logits.expand(n, 4), temperature, torch.Generator().manual_seed(1))
        found = torch.bincount(drawn, minlength=4) / n
        assert bool(((found - odds).abs() < 4 * (odds * (1 - odds) / n).sqrt()).all())


def test_temperature_0_takes_the_likeliest():
    logits = torch.randn(5, 2, SIZE, 3, 3)
    assert torch.equal(draw(logits, 0.0, dim=2), logits.argmax(2))
    assert torch.equal(draw(logits, 1e-50, dim=2), logits.argmax(2))  # 0 as a float32
    for temperature in (-1.0, float("nan")):
        with pytest.raises(ConfigError, match="temperature"):
            draw(logits, temperature)


def test_soft_draws_harden_and_soften_with_the_temperature():
    logits = torch.zeros(20_000, 4)
    generator = torch.Generator().manual_seed(0)
    hard, soft = (gumbel_softmax(logits, tau, generator) for tau in (0.01, 10.0))
    torch.testing.assert_close(hard.sum(1), torch.ones(len(logits)))
    assert float(hard.max(1).values.mean()) > 0.99
    entropy = -(soft * soft.log()).sum(1).mean()
    # Near uniform it is ln 4 less half of the variance of Gumbel noise, pi^2 / 6, about its mean of four, over tau^2.
    assert float(entropy) == pytest.approx(math.log(4) - 0.75 * math.pi**2 / 6 / 200, abs=5e-4)
    for temperature in (0.0, -1.0, float("inf")):
        with pytest.raises(ConfigError, match="above 0"):
            gumbel_softmax(logits, temperature)


def test_straight_through_draws_are_hard_and_have_the_soft_gradient():
    logits = torch.randn(6, 5, requires_grad=True)
    weights = torch.randn(6, 5)
    gradients = []
    for straight in (False, True):
        shares = gumbel_softmax(logits, 0.7, torch.Generator().manual_seed(3), straight_through=straight)
        gradients.append(torch.autograd.grad((shares * weights).sum(), logits)[0])
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(shares.max(1).values, torch.ones(6))


def test_a_draw_does_not_depend_on_its_company():
    x = torch.zeros(5, 3, 4)
    assert torch.equal(gumbel_like(x, Streams(0, 5))[2:4], gumbel_like(x[2:4], Streams(0, [2, 3])))
    assert not torch.equal(gumbel_like(x, Streams(0, 5))[0], gumbel_like(x, Streams(1, 5))[0])
