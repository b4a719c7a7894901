"""What a trained model of restoration does: samples, a prior for inverse problems, and refusals."""

import math

import pytest
import torch
from restoration_models import LogRatio, Truth, batch_of, image_model, images, points_model

from unveil.core.errors import ConfigError, DataError, RunError, ShapeError
from unveil.core.random import Streams
from unveil.data.points import Points
from unveil.models.restoration import (
    DSWD,
    KLD,
    MMD,
    MMSE,
    Restoration,
    naive_super_resolution,
    noising,
    super_resolution,
)
from unveil.networks import PointDiscriminator, PointGenerator


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
