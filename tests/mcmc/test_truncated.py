import math

import pytest
import torch
from analytic import White

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.random import Streams
from unveil.covariance import free_field
from unveil.mcmc import TruncatedKernel
from unveil.schedules import Discrete

COSINE = Discrete.cosine()


def at(t):
    return (float(c) for c in COSINE(torch.tensor(t).double()))


@pytest.mark.parametrize(
    ("until", "alpha", "log_snr"), [(0.064, 0.9938, 4.38), (0.256, 0.9166, 1.66), (0.512, 0.6893, -0.10)]
)
def test_how_much_is_hidden(until, alpha, log_snr):
    found, sigma = at(until)
    assert found == pytest.approx(alpha, abs=1e-4)
    assert 2 * math.log(found / sigma) == pytest.approx(log_snr, abs=1e-2)


@pytest.mark.parametrize("until", [0.256, 0.512])
def test_the_exact_kernel_leaves_a_gaussian_as_it_is_and_leads_there(until):
    alpha, sigma = at(until)
    exact = 0.5 / math.sqrt(alpha**2 * 0.25 + sigma**2)
    kernel = TruncatedKernel(lambda x, t: exact * x, COSINE, until)
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.randn(100_000, 1, generator=generator)
    for _ in range(40):
        before, x = x, kernel(x, generator)
    assert float(x.var()) == pytest.approx(0.25, rel=0.02)
    lag = float((before * x).mean() / x.var())
    assert lag == pytest.approx(alpha * exact, abs=0.01)


@pytest.mark.parametrize(("until", "variance"), [(0.256, 0.0906), (0.512, 0.0390)])
def test_the_mean_is_no_kernel(until, variance):
    kernel = TruncatedKernel(White(0.0, 0.25, COSINE).denoiser(), COSINE, until)
    generator = torch.Generator().manual_seed(0)
    x = 0.5 * torch.randn(100_000, 1, generator=generator)
    for _ in range(30):
        x = kernel(x, generator)
    assert float(x.var()) == pytest.approx(variance, rel=0.03)


# --- eight Gaussians on a circle -------------------------------------------------------------------------------------

STD = 0.1
ANGLES = torch.arange(8) * math.pi / 4
CENTRES = torch.stack([ANGLES.cos(), ANGLES.sin()], 1)


def mixture(x, t):
    """The exact denoiser of the mixture."""
    alpha, sigma = (c.to(x) for c in COSINE(t))
    total = alpha**2 * STD**2 + sigma**2
    away = x[:, None] - alpha * CENTRES
    share = (-away.square().sum(-1) / (2 * total)).softmax(1)
    means = CENTRES + (alpha * STD**2 / total) * away
    return (share[..., None] * means).sum(1)


def judged(x):
    """How far the shares of the modes are from equal, and the spread around them."""
    mode = torch.cdist(x, CENTRES).argmin(1)
    shares = torch.bincount(mode, minlength=8) / len(x)
    return float((shares - 1 / 8).abs().sum() / 2), float((x - CENTRES[mode]).square().mean().sqrt())


def drawn(n, generator):
    return CENTRES[torch.randint(8, (n,), generator=generator)] + STD * torch.randn(n, 2, generator=generator)


@pytest.mark.parametrize(("until", "spread"), [(0.256, 0.098), (0.512, 0.096)])
def test_a_long_walk_back_leaves_a_mixture_as_it_is(until, spread):
    generator = torch.Generator().manual_seed(0)
    kernel, x = TruncatedKernel(mixture, COSINE, until, steps=64), drawn(4000, generator)
    for _ in range(10):
        x = kernel(x, generator)
    uneven, std = judged(x)
    assert uneven <= 0.03
    assert std == pytest.approx(spread, abs=0.004)


@pytest.mark.parametrize(
    ("until", "known"), [(0.256, {1: 0.59, 5: 0.33, 20: 0.05}), (0.512, {1: 0.36, 5: 0.04, 20: 0.01})]
)
def test_how_fast_a_walk_leaves_one_mode_for_all(until, known):
    generator = torch.Generator().manual_seed(0)
    kernel = TruncatedKernel(mixture, COSINE, until, steps=64)
    x = CENTRES[:1] + STD * torch.randn(2000, 2, generator=generator)
    for step in range(1, 21):
        x = kernel(x, generator)
        if step in known:
            assert judged(x)[0] == pytest.approx(known[step], abs=0.035)


@pytest.mark.parametrize(("until", "spread"), [(0.256, 0.19), (0.512, 0.39)])
def test_one_step_that_was_not_distilled_blurs_a_mixture(until, spread):
    generator = torch.Generator().manual_seed(0)
    kernel, x = TruncatedKernel(mixture, COSINE, until), drawn(4000, generator)
    for _ in range(10):
        x = kernel(x, generator)
    assert judged(x)[1] == pytest.approx(spread, abs=0.03)


# --- as a part -------------------------------------------------------------------------------------------------------


def test_given_noise_is_used_and_gradients_reach_both():
    kernel = TruncatedKernel(lambda x, t: 2 * x, COSINE, 0.256)
    x, noise = (torch.randn(3, 1, 4, 4, requires_grad=True) for _ in range(2))
    out = kernel(x, noise=noise)
    alpha, sigma = at(0.256)
    torch.testing.assert_close(out, 2 * (alpha * x + sigma * noise))
    of_x, of_noise = torch.autograd.grad(out.sum(), (x, noise))
    torch.testing.assert_close(of_x, torch.full_like(x, 2 * alpha))
    torch.testing.assert_close(of_noise, torch.full_like(x, 2 * sigma))


def test_what_hides_is_noise_of_the_kernels_own_covariance():
    cov, (x, noise) = free_field(8, 8), torch.randn(2, 2, 1, 8, 8)
    kernel = TruncatedKernel(lambda x, t: x, COSINE, 0.5, cov=cov)
    alpha, sigma = at(0.5)
    torch.testing.assert_close(kernel(x, noise=noise), alpha * x + sigma * cov.sqrt(noise))


def test_steps_do_not_depend_on_their_batch():
    kernel, x = TruncatedKernel(mixture, COSINE, 0.256, steps=4), torch.randn(5, 2)
    torch.testing.assert_close(kernel(x, Streams(1, 5))[3:], kernel(x[3:], Streams(1, [3, 4])))


def test_what_cannot_be_a_kernel_is_refused():
    with pytest.raises(ConfigError, match=r"in \(0, 1\]; it got t=256"):
        TruncatedKernel(mixture, COSINE, 256)
    with pytest.raises(ConfigError, match="steps is 0"):
        TruncatedKernel(mixture, COSINE, 0.5, steps=0)
    with pytest.raises(ShapeError, match="shape of its input"):
        TruncatedKernel(lambda x, t: x[:1], COSINE, 0.5)(torch.zeros(2, 2))
    with pytest.raises(ShapeError, match="noise of a kernel"):
        TruncatedKernel(mixture, COSINE, 0.5)(torch.zeros(2, 2), noise=torch.zeros(2, 3))
