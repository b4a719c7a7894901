"""From recipes to schedules, networks and models of pictures, as they are written."""

import numpy as np
import pytest
import torch
from torch import nn

from unveil.core.errors import ConfigError
from unveil.covariance import Circulant, Identity
from unveil.data import open_images
from unveil.models.classifier import FeatureClassifier
from unveil.models.diffusion import Diffusion
from unveil.recipes import resolve
from unveil.recipes.build import build_data, build_model
from unveil.recipes.build_parts import build_network, build_schedule
from unveil.schedules import Discrete, GeometricVE, LinearVP
from unveil.training.options import Options


def test_the_network_at_the_scale_of_the_paper_has_as_many_weights_as_published():
    with torch.device("meta"):
        network = build_network(resolve("cifar10-ddpm").model.network, 3, None)
    assert sum(parameter.numel() for parameter in network.parameters()) == 35_746_307


@pytest.mark.parametrize(
    ("override", "schedule"),
    [
        ("{kind: linear-vp, beta_max: 15}", LinearVP(0.1, 15.0)),
        ("{kind: geometric-ve, sigma_max: 7, steps: 90}", GeometricVE(0.01, 7.0, 90)),
    ],
)
def test_schedules_are_built_as_they_are_written(override, schedule):
    assert build_schedule(resolve("digits-ddpm", [f"model.schedule={override}"]).model.schedule) == schedule


@pytest.mark.parametrize(("kind", "make"), [("discrete-linear", Discrete.linear), ("discrete-cosine", Discrete.cosine)])
def test_chains_are_built_as_they_are_written(kind, make):
    chain = build_schedule(resolve("digits-ddpm", [f"model.schedule={{kind: {kind}, steps: 50}}"]).model.schedule)
    assert torch.equal(chain.betas, make(50).betas)


def test_a_diffusion_is_built_as_it_is_written():
    written = {"predict": "v", "space": "pixel", "min_snr": 5.0, "stratified": True, "sigma_data": 0.5}
    changes = [f"model.{key}={value}" for key, value in written.items()]
    model = build_model(resolve("digits-free-field", [*changes, "model.labels=true"]), (1, 8, 12), 7)
    assert isinstance(model, Diffusion)
    assert {key: getattr(model, key) for key in written} == {**written}
    assert (model.classes, model.label_dropout, model.shape) == (7, 0.1, (1, 8, 12))
    assert isinstance(model.cov, Circulant)
    assert isinstance(build_model(resolve("digits-ddpm"), (1, 8, 8), 7).cov, Identity)
    assert build_model(resolve("digits-ddpm"), (1, 8, 8), 7).classes is None


def test_the_seed_of_the_training_decides_the_first_weights_and_nothing_else_is_seeded():
    def weights(seed) -> list[nn.Parameter]:
        return list(build_model(resolve("digits-features", [f"training.seed={seed}"]), (1, 8, 8), 10).parameters())

    state = torch.get_rng_state()
    assert all(torch.equal(a, b) for a, b in zip(weights(3), weights(3), strict=True))
    assert not torch.equal(weights(3)[0], weights(4)[0])
    assert torch.equal(torch.get_rng_state(), state)


def test_labels_need_classes():
    with pytest.raises(ConfigError, match="the data has no classes"):
        build_model(resolve("digits-ddpm", ["model.labels=true"]), (1, 8, 8))
    with pytest.raises(ConfigError, match="learns from labels"):
        build_model(resolve("digits-features"), (1, 8, 8))
    assert isinstance(build_model(resolve("digits-features"), (1, 8, 8), 10), FeatureClassifier)


def test_the_recipe_decides_how_images_are_framed(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (10, 20, 30), dtype=np.uint8)
    np.save(tmp_path / "pictures.npy", pictures)
    changes = ["data.size=8x12", "data.channels=3", "data.split=all", "data.limit=4"]
    recipe = resolve("digits-ddpm", changes)
    data = build_data(recipe, source=tmp_path / "pictures.npy")
    assert (data.shape, len(data)) == ((3, 8, 12), 4)
    mine = open_images(tmp_path / "pictures.npy", size=(8, 12), channels=3, split="all", limit=4)
    assert data.fingerprint == mine.fingerprint
    assert recipe.training.options() == Options(**recipe.training.model_dump(exclude={"steps"}))


def test_the_first_step_of_a_linear_chain_may_be_told():
    spec = resolve("digits-ddpm", ["model.schedule.first_sigma=0.002"]).model.schedule
    sigma = build_schedule(spec)(torch.tensor([1 / spec.steps, 1.0], dtype=torch.float64))[1]
    assert float(sigma[0]) == pytest.approx(0.002)
    assert float(sigma[1]) > 0.99
    with pytest.raises(ConfigError, match="leave the noise of 1000 steps nothing to grow by"):
        resolve("digits-ddpm", ["model.schedule.first_sigma=0.5"])
