"""Diffusion on the codes of a codec: identities, oracles with known answers, and that small trainings learn."""

import math

import pytest
import torch
from torch import nn

from unveil.codecs import Codec, Layout, fit_codec, parse_name, save_codec
from unveil.core.errors import ConfigError, DataError, RunError, ShapeError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.core.shapes import expand_as
from unveil.covariance import Identity
from unveil.data import open_images
from unveil.models.codec_diffusion import (
    CodecDiffusion,
    KeptCodec,
    Refiner,
    disturbed,
    draw,
    gumbel_like,
    gumbel_softmax,
    to_codes,
    to_latents,
)
from unveil.models.diffusion.loss import min_snr_weight
from unveil.models.diffusion.prediction import to_eps
from unveil.networks import UNet
from unveil.samplers import ancestral
from unveil.schedules import Discrete, GeometricVE
from unveil.training.options import Options
from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import load_weights
from unveil.training.trainer import fit

PLANES, SIZE = 2, 16


@pytest.fixture(scope="module")
def digits():
    return open_images("digits", size=8)


@pytest.fixture(scope="module")
def codec(digits):
    return fit_codec(digits.batch(range(400))[0], "OPQ-8", patch=4, bits=4, patches=4000)


def network(codes="categorical", planes=PLANES, size=SIZE, channels=8, self_condition=True):
    outputs = planes * (size if codes == "categorical" else 1)
    return UNet(planes * (1 + self_condition), outputs, channels=channels, mult=(1, 2), blocks=1, attention=())


def small(codec, codes="categorical", net=None, seed=0, **options):
    torch.manual_seed(seed)
    given = net or network(codes, self_condition=options.get("self_condition", True))
    return CodecDiffusion(given, codec, Discrete.linear(50), (1, 8, 8), codes=codes, **options)


def spoken(model):
    """Give a network that says nothing yet random last weights, so that what it says depends on what it is given."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


class Oracle(nn.Module):
    """Knows the codes of the pictures at hand, and gives all odds to them."""

    def __init__(self, codes, size=SIZE):
        super().__init__()
        self.logits = 1e4 * nn.functional.one_hot(codes.long(), size).movedim(-1, 2).flatten(1, 2).float()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x, t):
        return self.logits + self.weight


# --- codes as numbers -------------------------------------------------------------------------------------------------


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


# --- draws --------------------------------------------------------------------------------------------------------------


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


# --- identities ---------------------------------------------------------------------------------------------------------


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


# --- oracles --------------------------------------------------------------------------------------------------------------


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


# --- the network and what it is shown ---------------------------------------------------------------------------------


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


# --- training -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", ["continuous", "categorical"])
def test_a_small_training_lowers_its_loss(codec, digits, codes):
    model = small(codec, codes, net=network(codes, channels=16))
    x, times = digits.batch(range(64))[0], torch.linspace(0.02, 1, 64, dtype=torch.float64).mul(50).ceil() / 50

    def loss():
        with torch.no_grad():
            terms, _ = model.terms(x, Streams(0, 64), times)
            return float(terms.total(1.0, 0.0))

    before = loss()
    fit(model, digits, 60, Options(batch_size=16, lr=3e-3, ema=0.0), progress=False, device="cpu")
    assert loss() < 0.8 * before


def test_a_refiner_learns_to_mend(codec, digits):
    torch.manual_seed(0)
    mender = UNet(1, channels=8, mult=(1, 2), blocks=1, attention=())
    model = small(codec, "continuous", refiner=Refiner(mender, spread=(1.0, 1.0), share=1.0))
    assert [(stage.name, stage.steps) for stage in model.stages(10)] == [("generator", 10), ("refiner", 10)]
    assert [stage.steps for stage in model.stages({"generator": 3, "refiner": 4})] == [3, 4]
    x = digits.batch(range(64))[0]
    spoiled = disturbed(codec.encode(x), SIZE, (1.0, 1.0), Streams(0, 64))
    before = (model.decode(spoiled, refine=False) - x).abs().mean()
    torch.testing.assert_close(
        model.decode(spoiled), model.decode(spoiled, refine=False)
    )  # it begins by changing nothing
    generator = [parameter.clone() for parameter in model.net.parameters()]
    optimizer = torch.optim.AdamW(model.refiner.parameters(), lr=3e-3)
    for step in range(40):
        (move,) = model.refiner_moves(Batch(x, {}, Streams(step, 64), step))
        move.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (model.decode(spoiled) - x).abs().mean() < 0.95 * before
    assert all(torch.equal(a, b) for a, b in zip(generator, model.net.parameters(), strict=True))


def test_other_weights_of_the_terms_and_straight_draws_train_too(codec, digits):
    x = digits.batch(range(4))[0]
    model = small(codec, image_weight=2.0, cross_entropy=0.5, straight_through=True, min_snr=None)
    terms, _ = model.terms(x, Streams(0, 4))
    expected = terms.noise + 2.0 * terms.image + 0.5 * terms.odds
    torch.testing.assert_close(model.loss(x, Streams(0, 4)), expected)
    # A new network finds all codes equally likely.
    assert float(terms.odds.detach()) == pytest.approx(math.log(SIZE), abs=1e-4)


# --- the codec belongs to the weights ---------------------------------------------------------------------------------


def blank(ordered=True, **options):
    layout = parse_name("OPQ-8", patch=4, bits=4)
    return KeptCodec(Codec(layout, ordered=ordered), patches=2000, pictures=200, **options)


def test_training_fits_the_codec_first_and_keeps_it(digits, tmp_path):
    model = small(blank())
    run = RunFolder.create(tmp_path / "run", "name: test\n")
    fit(model, digits, 2, Options(batch_size=4), run=run, progress=False, device="cpu")
    again = small(blank())
    load_weights(again, run.weights)
    assert again.codec.codec.fingerprint == model.codec.codec.fingerprint
    x = digits.batch(range(5))[0]
    assert torch.equal(again.encode(x), model.encode(x))
    seal = model.codec.seal.clone()
    model.prepare(digits)
    assert torch.equal(model.codec.seal, seal)  # fitted once, and never again


def test_a_resumed_training_goes_on_with_its_codec(digits, tmp_path):
    options = Options(batch_size=4, save_every=2)
    whole = small(blank())
    fit(whole, digits, 4, options, progress=False, device="cpu")
    run = RunFolder.create(tmp_path / "run", "name: test\n")
    fit(small(blank()), digits, 2, options, run=run, progress=False, device="cpu")
    resumed = small(blank())
    fit(resumed, digits, 4, options, run=run, progress=False, device="cpu")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_training_that_stopped_in_the_refiners_stage_goes_on_there(digits, tmp_path):
    def model():
        torch.manual_seed(0)
        mender = UNet(1, channels=8, mult=(1, 2), blocks=1, attention=())
        return small(blank(), "continuous", refiner=Refiner(mender))

    options = Options(batch_size=4)
    whole, resumed = model(), model()
    fit(whole, digits, {"generator": 2, "refiner": 3}, options, progress=False, device="cpu")
    run = RunFolder.create(tmp_path / "run", "name: test\n")
    fit(model(), digits, {"generator": 2, "refiner": 1}, options, run=run, progress=False, device="cpu")
    assert (
        fit(resumed, digits, {"generator": 2, "refiner": 3}, options, run=run, progress=False, device="cpu").steps == 2
    )
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_codec_alone_is_trained_by_being_fitted(digits, tmp_path):
    kept = blank()
    run = RunFolder.create(tmp_path / "run", "name: test\n")
    assert fit(kept, digits, 1, run=run, progress=False, device="cpu").steps == 1
    again = blank()
    load_weights(again, run.weights)
    assert torch.equal(again.seal, kept.seal)
    third = blank()
    assert fit(third, digits, 1, run=run, progress=False, device="cpu").steps == 0
    assert third.codec.fingerprint == kept.codec.fingerprint


def test_weights_of_another_codec_are_refused(codec, digits):
    other = fit_codec(digits.batch(range(400, 800))[0], codec.layout, patches=4000, seed=1)
    trained = small(codec)
    with pytest.raises(RunError, match=r"trained with the codec .* this model has the codec"):
        small(other).load_state_dict(trained.state_dict())
    state = trained.state_dict()
    state["codec.codec.quantizers.0.codebooks"] = state["codec.codec.quantizers.0.codebooks"].flip(1)
    with pytest.raises(RunError, match="fingerprints differ"):
        small(blank()).load_state_dict(state)
    with pytest.raises(RunError, match="trained for other codes"):
        small(codec, "continuous").load_state_dict(spoken(small(codec, "categorical")).state_dict(), strict=False)


def test_a_codec_may_come_from_a_file(codec, digits, tmp_path):
    file = save_codec(codec, tmp_path / "codec.safetensors")
    kept = blank(file=str(file))
    kept.prepare(digits)
    assert kept.codec.fingerprint == codec.fingerprint
    with pytest.raises(ConfigError, match=r"holds the codec OPQ-8 .* OPQ-8 .* not ordered was asked for"):
        blank(ordered=False, file=str(file)).prepare(digits)
    with pytest.raises(DataError, match="cannot be read"):
        blank(file=str(tmp_path / "none.safetensors")).prepare(digits)


def test_too_few_patches_are_told_before_training(digits):
    few = open_images("digits", size=8, limit=3)
    coarse = KeptCodec(Codec(parse_name("VQ-8", patch=4)))
    with pytest.raises(DataError, match="needs 256 or more"):
        fit(small(coarse, net=network(planes=1, size=256)), few, 1, Options(batch_size=1), progress=False, device="cpu")


# --- refusals -----------------------------------------------------------------------------------------------------------


def test_continuous_codes_need_an_order(digits):
    with pytest.raises(ConfigError, match="is not ordered, and continuous codes need an order"):
        small(blank(ordered=False), "continuous")
    small(blank(ordered=False), "categorical")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"codes": "sorted"}, "'continuous' or 'categorical'"),
        ({"min_snr": 0.0}, "min_snr is 0.0; it must be above 0"),
        ({"relaxation": -1.0}, "relaxation is -1.0"),
        ({"image_weight": -1.0}, "image_weight"),
        ({"cross_entropy": float("nan")}, "cross_entropy"),
        ({"refiner": Refiner(nn.Identity())}, "nothing for a refiner to mend"),
    ],
)
def test_what_cannot_work_is_refused(codec, options, said):
    with pytest.raises(ConfigError, match=said):
        CodecDiffusion(network(), codec, Discrete.linear(50), (1, 8, 8), **options)


def test_arguments_are_looked_at(codec, digits):
    model, x = small(codec), digits.batch(range(2))[0]
    with pytest.raises(ConfigError, match="variance-preserving"):
        CodecDiffusion(network(), codec, GeometricVE(), (1, 8, 8))
    with pytest.raises(ShapeError, match="for pictures in grey"):
        CodecDiffusion(network(), codec, Discrete.linear(50), (3, 8, 8))
    with pytest.raises(ShapeError, match=r"made for pictures of shape \(1, 8, 8\)"):
        model.loss(x.repeat(1, 1, 2, 2))
    with pytest.raises(DataError, match="floating point"):
        model.loss((x * 127).to(torch.uint8))
    with pytest.raises(ShapeError, match="categorical codes need 32 channels"):
        CodecDiffusion(network("continuous"), codec, Discrete.linear(50), (1, 8, 8)).loss(x)
    for options, said in (
        ({"sampler": "heun"}, "ancestral or ddim"),
        ({"temperature": -0.1}, "temperature"),
        ({"steps": 0}, "steps"),
        ({"steps": 51}, "51 sampling steps were asked of a chain of 50"),
    ):
        with pytest.raises(ConfigError, match=said):
            model.sample(2, **options)
    with pytest.raises(ConfigError, match="no refiner"):
        model.refiner_loss(x)
    with pytest.raises(ConfigError, match="have no logits"):
        small(codec, "continuous").logits(torch.zeros(1, 2, 2, 2), torch.tensor(0.5))


@pytest.mark.parametrize(
    ("spread", "share"), [((-1.0, 2.0), 0.2), ((3.0, 2.0), 0.2), ((0.5, 8.0), 0.0), ((0.5, 8.0), 2.0)]
)
def test_a_refiner_has_bounds(spread, share):
    with pytest.raises(ConfigError, match="refiner"):
        Refiner(nn.Identity(), spread=spread, share=share)


def test_a_layout_is_all_that_a_run_needs_to_be_built_again():
    assert Layout("OPQ", (8,), 4, 4) == parse_name("OPQ-8", patch=4, bits=4)
