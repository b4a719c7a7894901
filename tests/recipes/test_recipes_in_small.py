"""Every recipe trains in small, opens its data, and differs from its neighbour as it says."""

import pytest
import torch
from recipes.small_recipes import open_for, shape_of, shrunken

from unveil.models.codec_diffusion import CodecDiffusion, KeptCodec
from unveil.models.diffusion import Diffusion
from unveil.models.ode_video import ODEVideo
from unveil.models.video_diffusion import VideoDiffusion
from unveil.recipes import names, resolve
from unveil.recipes.build import build_data, build_model
from unveil.training.trainer import fit


@pytest.mark.parametrize("name", names())
def test_every_recipe_takes_two_small_steps(name, tmp_path):
    recipe = shrunken(name)
    data = open_for(recipe, shape_of(name), tmp_path)
    assert data.shape[-3:] == shape_of(name)
    model = build_model(recipe, data.shape, data.classes)
    before = [parameter.clone() for parameter in model.parameters()]
    fit(model, data, 2, recipe.training.options(), progress=False, device="cpu")
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert any(moved) or (isinstance(model, KeptCodec) and model.seal.any())
    assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())
    if hasattr(model, "sample") and getattr(model, "variational", True):
        walks = isinstance(model, Diffusion | VideoDiffusion | CodecDiffusion)
        walk = {"steps": 2, "sampler": recipe.sampling.sampler} if walks else {}
        frames = (model.k,) if isinstance(model, VideoDiffusion) else (20,) if isinstance(model, ODEVideo) else ()
        assert model.sample(2, **walk).shape == (2, *frames, *shape_of(name))


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
    shape = (3, 107, 160) if name == "single-image" else shape_of(name)
    assert build_data(recipe).shape[-len(shape) :] == shape
    assert len(build_data(recipe, split="test")) > 0


@pytest.mark.parametrize("family", ["digits", "fashion", "cifar10"])
def test_coloured_noise_is_one_line_of_a_recipe(family):
    plain, coloured = resolve(f"{family}-ddpm"), resolve(f"{family}-free-field")
    assert coloured.model.covariance.kind == "free-field"
    same = {"name": plain.name, "model": coloured.model.model_copy(update={"covariance": plain.model.covariance})}
    assert coloured.model_copy(update=same) == plain


def test_coloured_noise_is_one_line_of_a_recipe_for_video():
    plain, coloured = resolve("moving-digits-mcvd-concat"), resolve("moving-digits-mcvd-free-field")
    assert coloured.model.covariance.kind == "free-field"
    same = {"name": plain.name, "model": coloured.model.model_copy(update={"covariance": plain.model.covariance})}
    assert coloured.model_copy(update=same) == plain
