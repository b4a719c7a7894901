import math

import pytest
import torch
from torch import nn

from unveil.core.errors import ConfigError, DataError, RunError, ShapeError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.data.points import Points
from unveil.divergences import sliced_wasserstein, unit_directions
from unveil.models.restoration import (
    DSWD,
    KLD,
    MMD,
    MMSE,
    Adversarial,
    Degradation,
    Level,
    Restoration,
    naive_super_resolution,
    noising,
    super_resolution,
)
from unveil.models.restoration.adversarial import slope_penalty
from unveil.networks import Discriminator, Generator, PointDiscriminator, PointGenerator
from unveil.operators import Downsample, Grayscale, Identity
from unveil.training.options import Options
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit

PRIORS = {
    "kld": lambda: KLD(PointDiscriminator()),
    "mmd": lambda: MMD(),
    "mmd-features": lambda: MMD(PointDiscriminator()),
    "dswd": lambda: DSWD(shape=(2,), projections=5, inner=2),
    "dswd-features": lambda: DSWD(Adversarial(PointDiscriminator(), lazy=2), shape=(2,), projections=5, inner=2),
    "mmse": lambda: MMSE(),
}


class Truth(nn.Module):
    """A generator that knows the answer, and counts how often it is asked."""

    latent = 3

    def __init__(self, answer=0.25):
        super().__init__()
        self.answer, self.asked = answer, []
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, y, k, z):
        self.asked.append((k.clone(), z.clone()))
        return torch.full_like(y, self.answer) + self.weight


class LogRatio(nn.Module):
    """The best discriminator between N(0, 1), which is real, and N(1.5, 1)."""

    def forward(self, y, k):
        return (1.5**2 / 2 - 1.5 * y).squeeze(1), y


def points_model(prior="kld", **options):
    torch.manual_seed(0)
    return Restoration(PointGenerator(), noising(), (2,), PRIORS[prior](), **options)


def image_model(chain=None, learned=None, channels=1, **options):
    torch.manual_seed(0)
    generator = Generator(channels, channels=8, mult=(1, 2), blocks=1, attention=(), latent=4, style=16)
    learned = learned or KLD(Discriminator(channels, channels=8, mult=(1, 2), time=16))
    return Restoration(generator, chain or super_resolution(3), (channels, 8, 8), learned, **options)


def batch_of(x, step=0, seed=0):
    return Batch(x, {}, Streams(seed, len(x)), step)


def images(n=6, channels=1):
    return torch.rand(n, channels, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1


# -- the objective ------------------------------------------------------------------------------------------------------


def test_the_divergence_is_minus_the_logit():
    logit = torch.randn(100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    softplus = torch.nn.functional.softplus
    torch.testing.assert_close(KLD(LogRatio()).per_sample(logit), softplus(-logit) - softplus(logit))
    torch.testing.assert_close(KLD(LogRatio(), gen_loss="nonsaturating").per_sample(logit), softplus(-logit))


def value(prior, *args):
    """What a prior without moves of its own gives."""
    with pytest.raises(StopIteration) as end:
        next(prior.term(*args))
    return end.value.value


def test_the_best_discriminator_gives_the_divergence_of_gaussians():
    fake = 1.5 + torch.randn(200_000, 1, generator=torch.Generator().manual_seed(0))
    k = torch.zeros(len(fake), dtype=torch.int64)
    exact, error = 1.5**2 / 2, 1.5 / len(fake) ** 0.5
    assert value(KLD(LogRatio()), None, fake, k, None).item() == pytest.approx(exact, abs=4 * error)
    other = value(KLD(LogRatio(), gen_loss="nonsaturating"), None, fake, k, None).item()
    assert other == pytest.approx(1.599, abs=0.01)


class Slope(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, -4.0]))

    def forward(self, y, k):
        return y @ self.weight, y


def test_the_penalty_of_a_linear_discriminator_is_known():
    y = torch.randn(5, 2, requires_grad=True)
    critic = Slope()
    assert slope_penalty(critic(y, None)[0], y, gamma=0.1).item() == pytest.approx(0.05 * 25)
    for scaled, expected in ((False, 0.05 * 25), (True, 0.05 * 25 * 4)):
        prior = KLD(critic, r1=0.1, lazy=4, r1_scale_by_interval=scaled)
        for step in range(9):
            _, logs = prior.judge(y, y, torch.zeros(5), step)
            assert ("r1" in logs) == (step % 4 == 0)
            assert logs.get("r1", torch.tensor(expected)).item() == pytest.approx(expected)
    assert "r1" not in KLD(critic, r1=0).judge(y, y, torch.zeros(5), 0)[1]


@pytest.mark.parametrize("chain", [noising(), super_resolution(7), naive_super_resolution(3)])
def test_fidelity_of_the_truth_is_a_half(chain):
    shape = (3, 16, 16)
    model = Restoration(Truth(), chain, shape, MMSE())
    native = Restoration(Truth(), chain, shape, MMSE(), fidelity_space="native")
    x = torch.zeros(1024, *shape) + 0.3
    for k in range(1, chain.steps + 1):
        y = chain.degrade(x, k, Streams(k, len(x)))
        assert model.fidelity(x, y, k).mean().item() == pytest.approx(0.5, rel=0.03)
        share = chain.levels[k].operator.forward(x[:1]).numel() / x[0].numel()
        assert native.fidelity(x, y, k).mean().item() == pytest.approx(0.5 * share, rel=0.05)


def test_a_step_pulls_estimates_of_level_k_plus_one_and_judges_level_k():
    model = Restoration(Truth(), noising(), (2,), KLD(PointDiscriminator()), fidelity_weight=2.0)
    x = torch.full((4000, 2), 0.25)
    judge, move = model.moves(batch_of(x))
    assert (judge.player, move.player) == ("discriminator", "generator")
    assert move.logs["fidelity"].item() == pytest.approx(0.5, rel=0.05)  # a perfect answer
    assert move.loss.item() == pytest.approx((move.logs["prior"] + 2 * move.logs["fidelity"]).item())
    (k_first, z_first), (k, z) = model.generator.asked
    assert sorted(set(k.tolist())) == [0, 1, 2, 3]
    assert not torch.equal(k_first, k)
    assert not torch.equal(z_first, z)


def test_posterior_training_fits_a_step_of_the_chain():
    model = Restoration(Truth(), noising(), (2,), KLD(PointDiscriminator()), sampling="posterior")
    *_, move = model.moves(batch_of(torch.full((6000, 2), 0.25)))
    assert move.logs["fidelity"].item() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("prior", PRIORS)
def test_players_take_their_turns(prior):
    model = points_model(prior)
    (stage,) = model.stages(7)
    x = Points().points[:64]
    names = []
    for move in stage.moves(batch_of(x)):
        names.append(move.player)
        assert move.loss.isfinite()
        parameters = list(stage.players[move.player].parameters())
        assert any(
            g is not None and g.abs().max() > 0 for g in torch.autograd.grad(move.loss, parameters, allow_unused=True)
        )
    judged = ["discriminator"] if "features" in prior or prior == "kld" else []
    assert names == judged + ["slices"] * (2 if "dswd" in prior else 0) + ["generator"]
    assert set(names) == set(stage.players)
    assert stage.steps == 7


def test_sets_are_of_one_level():
    for prior, several in (("kld", True), ("mmd", False), ("dswd", False)):
        model = Restoration(Truth(), noising(), (2,), PRIORS[prior]())
        for _ in model.moves(batch_of(Points().points[:64])):
            pass
        assert (len(set(model.generator.asked[-1][0].tolist())) > 1) == several


def test_matching_data_shows_the_prior_what_was_restored():
    found = {}
    for match in ("data", "level"):
        model = Restoration(Truth(), noising(), (2,), MMD(), match=match)
        batches = [batch_of(torch.full((64, 2), 0.25), seed=seed) for seed in range(8)]  # of several levels
        found[match] = max(move.logs["prior"].item() for batch in batches for move in model.moves(batch))
    assert found["data"] < 2e-6  # the very data
    assert found["level"] > 0.01  # noise of their own


def test_without_latents_the_generator_is_given_zeros():
    for learned, latent, zeros in ((MMD(), True, False), (MMD(), False, True), (MMSE(), True, True)):
        model = Restoration(Truth(), noising(), (2,), learned, latent=latent)
        list(model.moves(batch_of(Points().points[:8])))
        model.sample(4)
        assert all((not z.any()) == zeros for _, z in model.generator.asked)


def test_no_latent_makes_samples_of_one_start_alike():
    model = points_model(latent=False)
    y = torch.randn(6, 2)
    assert torch.equal(model.restore(y, 2, Streams(0, 6)), model.restore(y, 2, Streams(1, 6)))
    assert not torch.equal(points_model().restore(y, 2, Streams(0, 6)), points_model().restore(y, 2, Streams(1, 6)))


# -- generation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chain", [noising(1), noising(4), super_resolution(7), naive_super_resolution(2)])
def test_generation_asks_the_generator_once_a_level(chain):
    model, told = Restoration(Truth(), chain, (1, 8, 8), MMSE()), []
    x = model.sample(3, progress=lambda done, total: told.append((done, total)))
    assert [int(k[0]) for k, _ in model.generator.asked] == list(reversed(range(chain.steps)))
    assert told == [(i, chain.steps) for i in range(1, chain.steps + 1)]
    assert torch.equal(x, torch.full((3, 1, 8, 8), 0.25))
    assert (chain.degrade(x, 0) - x).abs().max() < 1e-3  # what published code returns
    assert model.sample(2, path=True).shape == (chain.steps, 2, 1, 8, 8)
    assert model.sample(0).shape == (0, 1, 8, 8)


def test_a_sample_does_not_depend_on_its_company():
    for model in (points_model(), points_model(sampling="posterior"), image_model()):
        with torch.no_grad():
            for value in model.generator.parameters():
                if value.abs().max() < 1e-3:
                    value.normal_(0, 0.1)
        many = model.sample(5, generator=Streams(3, 5))
        torch.testing.assert_close(model.sample(2, generator=Streams(3, [1, 4])), many[[1, 4]], rtol=1e-4, atol=1e-5)
        assert torch.equal(model.sample(5, generator=Streams(3, 5)), many)
        assert not torch.equal(model.sample(5, generator=Streams(4, 5)), many)


def test_models_in_double_precision_sample():
    assert points_model().double().sample(3).dtype == torch.float64


def test_any_chain_of_operators_trains_and_samples():
    grey = Grayscale()
    chain = Degradation([
        Level(Identity(), 1.0, 1e-4), Level(grey, 0.8, 0.2), Level(grey, 0.5, 0.9), Level(Downsample(4), 0.01, 1.0),
    ])  # fmt: skip
    for learned in (
        None,
        DSWD(Discriminator(3, channels=8, mult=(1, 2), time=16), shape=(3, 8, 8), projections=8, inner=1),
    ):
        model = image_model(chain, learned, channels=3)
        fit(model, Pictures(images(8, 3)), 2, Options(batch_size=4), progress=False, device="cpu")
        assert model.sample(2).isfinite().all()


class Pictures:
    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def batch(self, index, generator=None):
        return self.x[list(index)], {}


# -- a prior for inverse problems ---------------------------------------------------------------------------------------


def test_the_prior_degrades_images_that_are_not_scaled():
    for chain in (noising(), super_resolution(3)):
        model = Restoration(Truth(), chain, (1, 8, 8), MMSE())
        prior, x = model.prior(), images(4)
        assert len(prior.sigmas) == chain.steps
        for level in range(1, chain.steps + 1):
            kind = chain.levels[level]
            torch.testing.assert_close(prior.degrade(x, level, scale=0), kind.shown(x))
            y = prior.degrade(x, level, Streams(0, 4), scale=0.99)
            torch.testing.assert_close(kind.alpha * y, chain.degrade(x, level, Streams(0, 4), scale=0.99))
            noise = prior.degrade(torch.zeros(2000, 1, 8, 8), level, Streams(0, 2000)).std().item()
            assert noise == pytest.approx(prior.sigmas[level - 1] * kind.operator.norm(), rel=0.05)


def test_the_prior_restores_what_it_degraded_and_what_is_only_noisy():
    class Echo(Truth):
        def forward(self, y, k, z):
            self.asked.append((k, z))
            return y

    chain = super_resolution(3)
    model = Restoration(Echo(), chain, (1, 8, 8), KLD(LogRatio()))
    prior, x = model.prior(), images(3).requires_grad_()
    hidden = prior.degrade(x, 2, Streams(0, 3))
    torch.testing.assert_close(prior.restore(hidden, 2), chain.levels[2].alpha * hidden)
    full = prior.restore(x, 2)  # measured first, as the generator knows it
    torch.testing.assert_close(full, chain.levels[2].alpha * chain.levels[2].shown(x))
    full.sum().backward()
    assert x.grad.abs().max() > 0
    assert [int(k[0]) for k, _ in model.generator.asked] == [1, 1]
    assert prior.restore(torch.zeros(1, 1, 16, 24), 3).shape == (1, 1, 16, 24)
    with pytest.raises(ConfigError, match="levels 1 to 3"):
        prior.restore(x, 0)


# -- training -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", ["dswd-features", "kld"])
def test_an_interrupted_training_ends_with_the_same_weights(prior, tmp_path):
    options = Options(batch_size=16, lr=2e-3, ema=0.9, save_every=4, players={"discriminator": {"ema": 0.0}})

    def train(name, steps, hooks=()):
        model = points_model(prior)
        fit(
            model, Points(64), steps, options, run=RunFolder(tmp_path / name), progress=False, device="cpu", hooks=hooks
        )
        return model.state_dict()

    class Enough(Exception):
        pass

    def stop(moment):
        if moment.step == 6:
            raise Enough

    whole = train("whole", 10)
    with pytest.raises(Enough):
        train("parts", 10, [stop])
    resumed = train("parts", 10)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize("sampling", ["prior", "posterior"])
def test_images_train_for_a_few_steps(sampling):
    model = image_model(noising(2), sampling=sampling)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, Pictures(images()), 3, Options(batch_size=4, lr=1e-3, ema=0.0), progress=False, device="cpu")
    moved = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    assert any(name.startswith("generator") for name in moved)
    assert any(name.startswith("learned.discriminator") for name in moved)
    assert model.sample(2).abs().max() <= 1


def test_eight_gaussians_are_learned_as_their_mean_is_not():
    points, options = Points(), Options(
        batch_size=200, lr=8e-3, betas=(0.5, 0.9), decay="cosine", clip=0.0, ema=0.98,
        players={"discriminator": {"ema": 0.0}},
    )  # fmt: skip
    fresh, lines = points.draw(4000, Streams(1, 4000)), unit_directions(100, 2, torch.Generator().manual_seed(0))
    close, distance, modes = {}, {}, {}
    for prior in ("kld", "mmse"):
        model = points_model(prior, fidelity_weight=0.6)
        before = sliced_wasserstein(model.sample(4000, generator=Streams(2, 4000)), fresh, lines)
        fit(model, points, 600, options, progress=False, device="cpu")
        x = model.sample(4000, generator=Streams(2, 4000))
        far, mode = torch.cdist(x, points.centres).min(1)
        near = mode[far < 3 * points.std]
        close[prior], modes[prior] = len(near) / len(x), (near.bincount(minlength=8) >= 0.01 * len(near)).sum().item()
        distance[prior] = sliced_wasserstein(x, fresh, lines).item()
        assert distance[prior] < 0.6 * before.item()
    assert distance["kld"] < 0.7 * distance["mmse"]
    assert close["kld"] > 0.12 > 0.06 > close["mmse"]
    assert modes["kld"] == 8


def test_weights_know_their_chain():
    weights = points_model().state_dict()
    torch.manual_seed(0)
    other = Restoration(PointGenerator(), noising(4, "square"), (2,), KLD(PointDiscriminator()))
    with pytest.raises(RunError, match="another degradation"):
        other.load_state_dict(weights)
    points_model().load_state_dict(weights)
    with pytest.raises(RunError, match="another degradation"):
        image_model(naive_super_resolution(3)).load_state_dict(image_model(super_resolution(3)).state_dict())


def test_mistakes_are_explained():
    with pytest.raises(ConfigError, match="'prior' or 'posterior'"):
        points_model(sampling="chain")
    with pytest.raises(ConfigError, match="share one operator"):
        image_model(super_resolution(3), sampling="posterior")
    with pytest.raises(ConfigError, match="would mean nothing"):
        points_model(sampling="posterior", match="data")
    with pytest.raises(ConfigError, match="3 is usual"):
        points_model(fidelity_weight=math.nan)
    with pytest.raises(ConfigError, match="KLD, MMD, DSWD, MMSE"):
        Restoration(PointGenerator(), noising(), (2,), "kld")
    with pytest.raises(ShapeError, match="8 x 8"):
        image_model(super_resolution(9))
    with pytest.raises(ConfigError, match="'kl' or 'nonsaturating'"):
        KLD(LogRatio(), gen_loss="wasserstein")
    with pytest.raises(ConfigError, match="r1 >= 0"):
        KLD(LogRatio(), r1=-1.0)
    with pytest.raises(ConfigError, match="projections >= 1"):
        DSWD(shape=(2,), projections=0)
    with pytest.raises(ShapeError, match="raise batch_size"):
        list(points_model("mmd").moves(batch_of(torch.zeros(1, 2))))
    with pytest.raises(ShapeError, match=r"shape \(2,\)"):
        list(points_model().moves(batch_of(torch.zeros(4, 3))))
    with pytest.raises(DataError, match="floating point"):
        list(points_model().moves(batch_of(torch.zeros(4, 2, dtype=torch.int64))))
    with pytest.warns(UserWarning, match=r"\[-1, 1\]"):
        next(image_model().moves(batch_of(images() * 255)))
    with pytest.raises(ConfigError, match="levels 1 to 4"):
        points_model().restore(torch.zeros(1, 2), 5)
