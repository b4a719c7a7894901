"""Recipes of restoration, of pictures and of points."""

import re

import pytest
import torch

from unveil.core.errors import ConfigError
from unveil.models.restoration import DSWD, KLD, MMD
from unveil.recipes import resolve
from unveil.recipes.build import build_data, build_model
from unveil.recipes.build_restoration import build_generator


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
