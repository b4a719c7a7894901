import re

import numpy as np
import pytest
import torch
from torch import nn

from unveil.core.errors import ConfigError
from unveil.covariance import Circulant, Identity
from unveil.data import open_images
from unveil.models.classifier import FeatureClassifier
from unveil.models.diffusion import Diffusion
from unveil.models.restoration import DSWD, KLD, MMD
from unveil.recipes import names, resolve
from unveil.recipes.build import build_data, build_model, build_network, build_schedule
from unveil.recipes.build_restoration import build_generator
from unveil.schedules import Discrete, GeometricVE, LinearVP
from unveil.training.options import Options
from unveil.training.trainer import fit

SHRUNKEN = {
    "diffusion": ["model.network.channels=8", "model.network.blocks=1", "training.batch_size=4"],
    "classifier": ["model.channels=4", "training.batch_size=4"],
    "denoiser": ["model.network.channels=8", "model.network.blocks=1", "training.batch_size=4"],
    "restoration": ["model.network.channels=8", "model.network.blocks=1", "training.batch_size=4"],
}
SHAPES = {"digits": (1, 8, 8), "fashion": (1, 28, 28), "photos": (3, 32, 32), "cifar10": (3, 32, 32), "toy": (2,)}


def shrunken(name):
    recipe = resolve(name)
    if "toy" in name:
        return resolve(name, ["training.batch_size=8"])
    changes = [*SHRUNKEN[recipe.model.kind]]
    if recipe.model.kind == "restoration":
        changes += ["model.prior.discriminator.channels=8"]
    if name == "cifar10-rgm-dswd":
        changes += ["model.prior.projections=4", "model.prior.inner=2"]
    return resolve(name, changes)


def shape_of(name):
    return (3, 48, 48) if name == "photos-denoiser" else SHAPES[name.partition("-")[0]]


def open_for(recipe, shape, folder):
    """Data of the shape that a recipe is made for."""
    if len(shape) == 1:
        return build_data(recipe)
    channels, height, width = shape
    pictures = np.random.default_rng(0).integers(0, 256, (8, height, width, channels), dtype=np.uint8)
    np.savez(folder / "noise.npz", train_images=pictures, train_labels=np.arange(8) % 2)
    return build_data(recipe, source=folder / "noise.npz")


@pytest.mark.parametrize("name", names())
def test_every_recipe_takes_two_small_steps(name, tmp_path):
    recipe = shrunken(name)
    data = open_for(recipe, shape_of(name), tmp_path)
    assert data.shape == shape_of(name)
    model = build_model(recipe, data.shape, data.classes)
    before = [parameter.clone() for parameter in model.parameters()]
    fit(model, data, 2, recipe.training.options(), progress=False, device="cpu")
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert any(moved)
    assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())
    if hasattr(model, "sample"):
        walk = {"steps": 2, "sampler": recipe.sampling.sampler} if isinstance(model, Diffusion) else {}
        assert model.sample(2, **walk).shape == (2, *data.shape)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("fashion-ddpm", "fashion-mnist"),
        ("fashion-features", "fashion-mnist"),
        ("fashion-rgm-sr", "fashion-mnist"),
        ("cifar10-ddpm", "cifar10-20k.npz"),
        ("cifar10-rgm-sr", "cifar10-20k.npz"),
    ],
)
def test_recipes_open_the_data_they_are_made_for(name, file, real_data):
    recipe = resolve(name, ["data.limit=100"])
    data = build_data(recipe, source=real_data(file))
    assert data.shape == shape_of(name)
    assert (len(data), data.classes) == (100, 10)


@pytest.mark.parametrize("name", [name for name in names() if resolve(name).data.source is not None])
def test_recipes_open_the_data_they_bring(name):
    recipe = resolve(name)
    assert build_data(recipe).shape == shape_of(name)
    assert len(build_data(recipe, split="test")) > 0


@pytest.mark.parametrize("family", ["digits", "fashion", "cifar10"])
def test_coloured_noise_is_one_line_of_a_recipe(family):
    plain, coloured = resolve(f"{family}-ddpm"), resolve(f"{family}-free-field")
    assert coloured.model.covariance.kind == "free-field"
    same = {"name": plain.name, "model": coloured.model.model_copy(update={"covariance": plain.model.covariance})}
    assert coloured.model_copy(update=same) == plain


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


# --- restoration -----------------------------------------------------------------------------------------------------


def test_restoration_models_are_built_as_they_are_written():
    written = {"fidelity_weight": 1.5, "fidelity_space": "native", "match": "data", "latent": False}
    changes = [f"model.{key}={value}" for key, value in written.items()]
    model = build_model(resolve("digits-rgm-d", [*changes, "model.degradation.steps=3"]), (1, 8, 8))
    assert {key: getattr(model, key) for key in written} == written
    assert (model.steps, model.sampling) == (3, "prior")
    assert isinstance(model.learned, KLD)
    assert (model.learned.r1, model.learned.lazy, model.learned.gen_loss) == (0.02, 15, "kl")
    posterior = build_model(resolve("digits-rgm-d", ["model.sampling=posterior"]), (1, 8, 8))
    assert posterior.bridges is not None


def test_priors_are_built_as_they_are_written():
    mmd = "model.prior={kind: mmd, bandwidths: [0.5, 3], unbiased: true, pool: true}"
    found = build_model(resolve("toy-rgm-mmd", [mmd]), (2,)).learned
    assert isinstance(found, MMD)
    assert (found.kernel.bandwidths, found.unbiased, found.pool) == ((0.5, 3.0), True, True)
    assert resolve("toy-rgm-mmd", ["model.prior.bandwidths=0.5"]).model.prior.bandwidths == (0.5,)
    dswd = build_model(resolve("toy-rgm-dswd", ["model.prior.pool=false", "model.prior.inner=3"]), (2,)).learned
    assert isinstance(dswd, DSWD)
    assert (dswd.projections, dswd.inner, dswd.summed, dswd.pool) == (10, 3, True, False)


def test_the_networks_of_cifar10_are_those_that_were_published():
    recipe = resolve("cifar10-rgm-d")
    with torch.device("meta"):
        generator = build_generator(recipe.model, (3, 32, 32), 4)
    assert 45e6 < sum(parameter.numel() for parameter in generator.parameters()) < 50e6
    assert recipe.model.fidelity_weight == pytest.approx(3 * 32 * 32 / 1000)


@pytest.mark.parametrize(
    ("recipe", "changes", "source", "said"),
    [
        ("toy-rgm-kld", [], "digits", "'digits' holds pictures, and the recipe is for points"),
        ("toy-rgm-kld", ["data.dimension=3"], "eight-gaussians", "data.dimension is 3, and the points of"),
        ("toy-rgm-kld", ["data.size=8"], "eight-gaussians", "the recipe is for pictures: it has data.size"),
        ("toy-rgm-kld", ["data.flip=true"], "eight-gaussians", "the recipe is for pictures: it has data.flip"),
        ("toy-rgm-kld", ["data.split=all"], "eight-gaussians", "take train or test"),
    ],
)
def test_points_are_no_pictures(recipe, changes, source, said):
    base = resolve(recipe, changes if changes else ["data.dimension=2"])
    with pytest.raises(ConfigError, match=re.escape(said)):
        build_data(base, source=source)


def test_networks_of_points_are_for_points():
    with pytest.raises(ConfigError, match="point-generator is not for them"):
        build_model(resolve("toy-rgm-kld"), (1, 8, 8))
    with pytest.raises(ConfigError, match="generator is not for them"):
        build_model(resolve("digits-rgm-d"), (2,))
    with pytest.raises(ConfigError, match="The data are points, and a diffusion learns from pictures"):
        build_model(resolve("digits-ddpm"), (2,))
    with pytest.raises(ConfigError, match="takes sides that are multiples of 4"):
        build_model(resolve("digits-rgm-d"), (1, 6, 6))
    points = build_data(resolve("toy-rgm-kld", ["data.limit=100"]))
    assert len(points) == 100
    assert torch.equal(points.points, build_data(resolve("toy-rgm-kld")).points[:100])
