"""Diffusion on codes: identities, and oracles with known answers."""

import pytest
import torch
from codec_models import PLANES, SIZE, digit_codec, small, some_digits
from torch import nn

from unveil.core.random import Streams
from unveil.core.shapes import expand_as
from unveil.covariance import Identity
from unveil.models.codec_diffusion import gumbel_softmax, to_latents
from unveil.models.diffusion.loss import min_snr_weight
from unveil.models.diffusion.prediction import to_eps
from unveil.samplers import ancestral
from unveil.schedules import Discrete


@pytest.fixture(scope="module")
def digits():
    return some_digits()


@pytest.fixture(scope="module")
def codec():
    return digit_codec()


def test_the_noise_follows_from_state_and_codes():
    schedule = Discrete.linear()
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    alpha, sigma = schedule(t)
    a, b = 1 / alpha, sigma / alpha
    torch.testing.assert_close(a**2 - b**2, torch.ones_like(a), rtol=1e-9, atol=1e-9)
    known = {0: (1.00005, 0.0100), 100: (1.0570, 0.3423), 500: (3.585, 3.443), 999: (157.41, 157.41)}
    for step, (first, second) in known.items():
        assert (float(a[step]), float(b[step])) == (pytest.approx(first, rel=2e-4), pytest.approx(second, rel=2e-3))
    generator = torch.Generator().manual_seed(0)
    z, eps = (torch.randn(1000, 7, generator=generator, dtype=torch.float64) for _ in range(2))
    z_t = expand_as(alpha, z) * z + expand_as(sigma, z) * eps
    found = to_eps("x", z, z_t, expand_as(alpha, z), expand_as(sigma, z), Identity())
    torch.testing.assert_close(found, (expand_as(a, z) * z_t - z) / expand_as(b, z), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(found[0], eps[0], rtol=0, atol=1e-11)
    torch.testing.assert_close(found[100:], eps[100:], rtol=0, atol=1e-13)


def test_the_weight_caps_the_signal_to_noise_ratio():
    alpha, sigma = Discrete.linear()(torch.arange(1, 1001, dtype=torch.float64) / 1000)
    snr = (alpha / sigma) ** 2
    weight = min_snr_weight("eps", alpha, sigma, 5.0)
    torch.testing.assert_close(weight * snr, snr.clamp(max=5.0))
    assert bool((weight <= 1).all())


def test_a_step_back_has_the_mean_of_the_posterior():
    """c1 + c2 sqrt(abar_t) = sqrt(abar_{t-1}), and c1, c2 themselves."""

    class Silent(Identity):
        def sqrt(self, z):
            return torch.zeros_like(z)

    schedule = Discrete.linear(50)
    for step in (2, 17, 50):
        times = torch.tensor([step, step - 1], dtype=torch.float64) / 50
        (alpha_t, alpha_u), (sigma_t, sigma_u) = schedule(times)
        beta = schedule.betas[step - 1]
        c1, c2 = beta * alpha_u / sigma_t**2, sigma_u**2 * (1 - beta).sqrt() / sigma_t**2
        assert float(c1 + c2 * alpha_t) == pytest.approx(float(alpha_u), rel=1e-12)
        z_t, z = torch.tensor([[0.7, -1.3]], dtype=torch.float64), torch.tensor([[0.2, 0.9]], dtype=torch.float64)
        found = ancestral(lambda x, t, z=z: z, z_t, schedule, times, cov=Silent())
        torch.testing.assert_close(found, c1 * z + c2 * z_t)


def test_soft_decoding_is_decoding_where_one_code_has_all(codec):
    codes = torch.randint(SIZE, (3, PLANES, 2, 2), generator=torch.Generator().manual_seed(0))
    sure = nn.functional.one_hot(codes, SIZE).movedim(-1, 2).float()
    torch.testing.assert_close(codec.soft_decode(sure), codec.decode(codes), rtol=0, atol=1e-5)
    even = codec.soft_decode(torch.full((1, PLANES, SIZE, 1, 1), 1 / SIZE))
    every = torch.stack(
        [codec.decode(torch.tensor([i, j]).reshape(1, 2, 1, 1)) for i in range(SIZE) for j in range(SIZE)]
    )
    torch.testing.assert_close(even, every.mean(0), rtol=0, atol=1e-5)
    other = torch.rand(3, PLANES, SIZE, 2, 2)
    torch.testing.assert_close(
        codec.soft_decode(0.3 * sure + 0.7 * other), 0.3 * codec.soft_decode(sure) + 0.7 * codec.soft_decode(other)
    )
    logits = torch.randn(3, PLANES, SIZE, 2, 2, requires_grad=True)
    codec.soft_decode(gumbel_softmax(logits, dim=2)).square().sum().backward()
    assert bool(logits.grad.isfinite().all())
    assert float(logits.grad.abs().max()) > 0


class Oracle(nn.Module):
    """Knows the codes of the pictures at hand, and gives all odds to them."""

    def __init__(self, codes, size=SIZE):
        super().__init__()
        self.logits = 1e4 * nn.functional.one_hot(codes.long(), size).movedim(-1, 2).flatten(1, 2).float()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x, t):
        return self.logits + self.weight


def test_with_the_true_codes_only_the_codec_errs(codec, digits):
    x = digits.batch(range(6))[0]
    codes = codec.encode(x)
    model = small(codec, net=Oracle(codes), cross_entropy=1.0, self_condition=False)
    with torch.no_grad():
        terms, t = model.terms(x, Streams(0, 6))
    assert t.shape == (6,)
    torch.testing.assert_close(terms.image, (codec.decode(codes) - x).square().mean(), rtol=1e-4, atol=1e-6)
    assert float(terms.noise) < 1e-6
    assert float(terms.odds) < 1e-6


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_sampling_by_the_true_codes_gives_them_exactly(codec, digits, sampler):
    codes = codec.encode(digits.batch(range(6))[0])
    model = small(codec, net=Oracle(codes), self_condition=False)
    for steps in (1, 10):
        drawn = model.sample_codes(6, steps=steps, sampler=sampler, temperature=0.0)
        assert torch.equal(drawn, codes.long())
    torch.testing.assert_close(model.decode(drawn), codec.decode(codes).clamp(-1, 1))


def test_continuous_sampling_of_a_known_point_rounds_to_it(codec, digits):
    codes = codec.encode(digits.batch(range(4))[0])
    truth = to_latents(codes, SIZE)

    class Knows(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))

        def forward(self, z_t, t):
            alpha, sigma = (expand_as(c, z_t) for c in Discrete.linear(50)(t))
            return (z_t - alpha * truth) / sigma + self.weight

    model = small(codec, "continuous", net=Knows(), self_condition=False)
    assert torch.equal(model.sample_codes(4, steps=20), codes.long())
