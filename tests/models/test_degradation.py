import math

import pytest
import torch
import torch.nn.functional as F

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.random import Streams
from unveil.models.restoration import (
    Degradation,
    Level,
    naive_super_resolution,
    noise_levels,
    noising,
    super_resolution,
)
from unveil.models.restoration.bridges import Bridges
from unveil.operators import Blur, Downsample, Grayscale, Identity, Mask, gaussian_kernel

PUBLISHED = {
    1: ([0.00657], [0.99998]),
    2: ([0.28049, 0.00657], [0.95986, 0.99998]),
    3: ([0.56460, 0.10576, 0.00657], [0.82536, 0.99439, 0.99998]),
    4: ([0.72232, 0.28049, 0.05856, 0.00657], [0.69156, 0.95986, 0.99828, 0.99998]),
    8: ([0.91845, 0.72232, 0.48643, 0.28049, 0.13850, 0.05856, 0.02120, 0.00657],
        [0.39553, 0.69156, 0.87372, 0.95986, 0.99036, 0.99828, 0.99978, 0.99998]),
}  # fmt: skip
CHAINS = {"d": noising(), "naive": naive_super_resolution(), "sr": super_resolution()}


def image(batch=1, channels=3, size=16, dtype=torch.float64):
    x = torch.rand(batch, channels, size, size, generator=torch.Generator().manual_seed(5), dtype=dtype)
    return 2 * x - 1


def written_by_a_user():
    """Colour goes, then sharpness, then a part of the picture and half of the pixels."""
    grey = Grayscale()
    mask = torch.ones(16, 16)
    mask[4:9, 3:12] = 0
    return Degradation([
        Level(Identity(), 1.0, 1e-4),
        Level(grey, 0.9, 0.1),
        Level(Blur(gaussian_kernel(1.0)), 0.7, 0.5),
        Level(Mask(mask), 0.3, 0.8),
        Level(Downsample(2), 0.1, 0.5),
        Level(grey, 0.01, 1.0),
    ])  # fmt: skip


@pytest.mark.parametrize("steps", PUBLISHED)
def test_noise_levels_are_the_published_ones(steps):
    alphas, sigmas = noise_levels(steps)
    assert alphas[1:].tolist() == pytest.approx(PUBLISHED[steps][0], abs=1e-5)
    assert sigmas[1:].tolist() == pytest.approx(PUBLISHED[steps][1], abs=1e-5)
    assert sigmas[0].item() == pytest.approx(1e-4, rel=1e-6)
    torch.testing.assert_close(alphas**2 + sigmas**2, torch.ones_like(alphas))


def test_noise_levels_follow_the_recursion_of_betas():
    for spacing in ("linear", "square", "geometric"):
        t = 1e-3 + (1 - 1e-3) * torch.arange(5, dtype=torch.float64) / 4
        match spacing:
            case "geometric":
                kept = 1 - 1e-4 * (0.9999 / 1e-4) ** t
            case _:
                t = t**2 if spacing == "square" else t
                kept = torch.exp(-0.5 * t**2 * 19.9 - 0.1 * t)
        betas = torch.cat([torch.tensor([1e-8]).double(), 1 - kept[1:] / kept[:-1]])
        torch.testing.assert_close(noise_levels(4, spacing)[0], (1 - betas).sqrt().cumprod(0))


def test_super_resolution_has_the_published_levels():
    chain = super_resolution(7)
    stds = [1.3831, 0.6916, 1.9197, 0.9599, 1.9966, 0.9983, 2.0000]
    assert [level.std for level in chain.levels[1:]] == pytest.approx(stds, abs=1e-4)
    sizes = [level.operator.forward(image(size=32)).shape[-1] for level in chain.levels]
    assert sizes == [32, 32, 16, 16, 8, 8, 4, 4]
    start = chain.start(500, (3, 16, 16), Streams(0, 500))
    assert start.std().item() == pytest.approx(2, rel=0.02)
    torch.testing.assert_close(start, F.interpolate(F.avg_pool2d(start, 8), scale_factor=8.0))
    naive = naive_super_resolution(3).start(500, (3, 16, 16), Streams(0, 500))
    assert naive.std().item() == pytest.approx(1 / 8, rel=0.02)


def test_noise_averaged_from_full_size_is_the_noise_of_each_level():
    full = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    alphas, sigmas = noise_levels(4)
    for k, level in enumerate(super_resolution(7).levels[1:], start=1):
        i = (k + 1) // 2
        native = level.operator.forward(full * 2**i * sigmas[i])
        assert native.std().item() == pytest.approx(level.std, rel=0.015)
        assert level.alpha == alphas[i]


@pytest.mark.parametrize("name", [*CHAINS, "user"])
def test_the_mean_of_degradations_is_what_was_measured(name):
    chain, n = CHAINS.get(name) or written_by_a_user(), 4096
    x = image(channels=3, size=16)
    many, streams = x.expand(n, -1, -1, -1), torch.Generator().manual_seed(0)
    for k, level in enumerate(chain.levels):
        error = chain.degrade(many, k, streams).mean(0) - level.alpha * level.shown(x)[0]
        assert (
            error.abs().max() <= 5.5 * level.std * 3**0.5 / n**0.5
        )  # repeating grey or colour enlarges noise by sqrt 3
        assert error.std() <= 1.3 * level.std * 3**0.5 / n**0.5


def test_shared_noise_makes_every_even_level_the_mean_of_the_one_before():
    chain, x = super_resolution(7), image(2, size=16)
    full = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def white(halvings):
        return (F.avg_pool2d(full, 2**halvings) * 2**halvings).flatten(1)

    for k in (2, 4, 6):
        fine, coarse = chain.observe(x, k - 1, white(k // 2 - 1)), chain.observe(x, k, white(k // 2))
        smaller = Downsample(2 ** (k // 2))
        torch.testing.assert_close(smaller.pinv(smaller.forward(fine)), coarse)


@pytest.mark.parametrize("name", CHAINS)
def test_the_truth_fits_as_well_as_noise_allows(name):
    chain, x = CHAINS[name], image(1024, size=16)
    for k in range(chain.steps + 1):
        y = chain.degrade(x, k, torch.Generator().manual_seed(k))
        assert chain.misfit(x, y, k).mean().item() == pytest.approx(0.5, rel=0.03)


def test_levels_of_each_sample_are_the_levels_of_all():
    for chain in (*CHAINS.values(), written_by_a_user()):
        x = image(3, size=16)
        noise = torch.randn(3, chain.width(x.shape[1:]), dtype=torch.float64)
        ks = torch.tensor([0, chain.steps, 2])
        together = chain.observe(x, ks, noise, scale=0.5)
        for row, k in enumerate(ks.tolist()):
            alone = chain.observe(x[row : row + 1], k, noise[row : row + 1], scale=0.5)
            torch.testing.assert_close(together[row : row + 1], alone)
            here = chain.misfit(x[row : row + 1], together[row : row + 1], k)
            torch.testing.assert_close(chain.misfit(x, together, ks)[row : row + 1], here)


def test_degraded_samples_do_not_depend_on_their_company():
    chain, x = super_resolution(3), image(4, size=8)
    together = chain.degrade(x, torch.tensor([0, 1, 2, 3]), Streams(7, 4))
    alone = chain.degrade(x[2:3], torch.tensor([2]), Streams(7, [2]))
    torch.testing.assert_close(together[2:3], alone)


def test_the_posterior_is_consistent():
    published = {"clean": [1, 0.66578, 0.26919, 0.05782], "state": [0, 0.20158, 0.19300, 0.11185]}
    bridges = Bridges(noising(4)).table
    alphas, sigmas = noise_levels(4)
    for k, bridge in enumerate(bridges):
        assert bridge.clean == pytest.approx(published["clean"][k], abs=1e-5)
        assert bridge.state == pytest.approx(published["state"][k], abs=1e-5)
        assert bridge.std**2 == pytest.approx([0, 0.44082, 0.88420, 0.98406][k], abs=1e-5)
        assert bridge.clean + bridge.state * alphas[k + 1] == pytest.approx(alphas[k].item(), abs=1e-10)
        assert bridge.state**2 * sigmas[k + 1] ** 2 + bridge.std**2 == pytest.approx(sigmas[k].item() ** 2, abs=1e-10)
        assert bridge.kept * alphas[k] == pytest.approx(alphas[k + 1].item(), abs=1e-10)
        assert (bridge.kept * sigmas[k]) ** 2 + bridge.added**2 == pytest.approx(sigmas[k + 1].item() ** 2, abs=1e-10)


def test_bridges_hold_for_any_chain_with_one_operator():
    blur = Blur(gaussian_kernel(0.6))
    chain = Degradation([Level(blur, 1.0, 0.1), Level(blur, 0.8, 0.5), Level(blur, 0.8, 0.9)])
    x, n = image(1, 1, 8), 4000
    bridges, g = Bridges(chain), torch.Generator().manual_seed(0)
    many = x.expand(n, -1, -1, -1)
    y = chain.degrade(many, 2, g)
    back = bridges.back(many, y, 1, torch.randn(n, 64, generator=g, dtype=torch.float64))
    assert (back.mean(0) - 0.8 * blur.forward(x)[0]).abs().max() < 5 * 0.5 / n**0.5
    assert back.std(0).mean().item() == pytest.approx(0.5, rel=0.02)
    both = torch.stack([back.flatten(), y.flatten()]) - 0.8 * blur.forward(many).flatten()
    assert (both[0] * both[1]).mean().item() == pytest.approx(0.25, rel=0.03)  # y_2 = y_1 + fresh noise
    truth = chain.degrade(many, 1, g)
    following = truth + bridges.table[1].added * torch.randn(truth.shape, generator=g, dtype=torch.float64)
    assert bridges.misfit(truth, following, 1).mean().item() == pytest.approx(0.5, rel=0.02)


def test_sigmas_are_those_of_the_full_image():
    plain, smaller = noising(4), super_resolution(7)
    assert [level.sigma for level in plain.levels] == pytest.approx((plain.stds / plain.alphas).tolist())
    sigmas = [level.sigma for level in smaller.levels[1:]]
    assert sigmas[0] == pytest.approx(2 * 0.69156 / 0.72232, rel=1e-4)
    assert sigmas[1] == pytest.approx(sigmas[0])  # taking means adds nothing
    assert sigmas == sorted(sigmas)


def test_mistakes_of_chains_are_explained():
    with pytest.raises(ConfigError, match="above zero"):
        Level(Identity(), 1.0, 0.0)
    with pytest.raises(ConfigError, match="at least one more"):
        Degradation([Level(Identity(), 1.0, 0.1)])
    with pytest.raises(ConfigError, match="steps=0"):
        super_resolution(0)
    with pytest.raises(ConfigError, match="'linear', 'square' or 'geometric'"):
        noising(4, "cubic")
    with pytest.raises(ConfigError, match="variances below 1"):
        noising(4, "geometric", (0.1, 20))
    with pytest.raises(ConfigError, match="levels 0 to 4"):
        noising(4).observe(image(), 5)
    with pytest.raises(ConfigError, match="several"):
        Bridges(super_resolution(3))
    same = Identity()
    with pytest.raises(ConfigError, match="adds no noise"):
        Bridges(Degradation([Level(same, 1.0, 0.5), Level(same, 0.5, 0.25)]))
    with pytest.raises(ShapeError, match="`lift`"):
        Degradation([Level(same, 1.0, 0.1), Level(same, 1.0, 0.2, lift=lambda y: y[..., :4])]).width((1, 8, 8))
    with pytest.warns(UserWarning, match="an odd number such as 7"):
        even = super_resolution(6)
    start = even.start(300, (1, 16, 16), Streams(0, 300))
    assert start.std().item() == pytest.approx(noise_levels(3)[1][3].item(), rel=0.05)
    assert math.isclose(even.levels[-1].std, noise_levels(3)[1][3].item())
