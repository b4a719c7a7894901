"""Models of restoration in training: interrupted, of pictures, of points, of any chain."""

import pytest
import torch
from restoration_models import Pictures, image_model, images, points_model

from unveil.core.random import Streams
from unveil.data.points import Points
from unveil.divergences import sliced_wasserstein, unit_directions
from unveil.models.restoration import (
    DSWD,
    Degradation,
    Level,
    noising,
)
from unveil.networks import Discriminator
from unveil.operators import Downsample, Grayscale, Identity
from unveil.training.options import Options
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit


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
