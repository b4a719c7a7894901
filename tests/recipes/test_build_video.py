"""Recipes of video, as diffusion and as paths."""

import re
from itertools import product

import numpy as np
import pytest
from recipes.small_recipes import SHRUNKEN

from unveil.core.errors import ConfigError
from unveil.recipes import resolve
from unveil.recipes.build import build_data, build_model
from unveil.recipes.build_video import build_layout


@pytest.mark.parametrize("masks", [*product((0.0, 0.5, 1.0), (0.0, 0.5, 1.0), (0.0, 0.5), (0, 2), (0, 1))])
def test_a_recipe_knows_what_its_model_of_video_can_do(masks):
    mask_past, mask_future, per_frame, past, future = masks
    changes = {
        "mask_past": mask_past,
        "mask_future": mask_future,
        "per_frame": per_frame,
        "past": past,
        "future": future,
    }
    spec = resolve("moving-digits-mcvd-concat").model.model_copy(update=changes)
    assert spec.tasks == build_layout(spec).tasks
    assert spec.window == build_layout(spec).window


def test_models_of_long_videos_are_given_frames_at_several_spacings():
    recipe = resolve(
        "moving-digits-mcvd-concat", ["model.past=1", "model.future=1", "model.frames=2", "model.levels=2"]
    )
    data = build_data(recipe)
    assert data.shape[0] == 4
    assert data.strides == (1, 3, 9)
    model = build_model(recipe, data.shape)
    assert model.long_video(20, steps=2).shape == (1, 20, 1, 16, 16)
    with pytest.raises(ConfigError, match=r"leave data\.stride out"):
        resolve(recipe, ["data.stride=2"])
    with pytest.raises(ConfigError, match=r"data\.stride is for videos"):
        resolve("digits-ddpm", ["data.stride=2"])


def test_a_recipe_of_moving_digits_trains_on_other_clips_too(tmp_path):
    np.save(tmp_path / "clips.npy", np.zeros((2, 12, 16, 16), np.uint8))
    recipe = resolve("moving-digits-mcvd-concat")
    assert recipe.data.digits == 1
    assert build_data(recipe).digits == 1
    assert build_data(recipe, source=tmp_path / "clips.npy").shape == (7, 1, 16, 16)
    with pytest.raises(ConfigError, match="digits is for videos"):
        resolve("digits-ddpm", ["data.digits=1"])


def test_frames_that_a_network_cannot_halve_are_refused():
    with pytest.raises(ConfigError, match="multiples of 4; change data"):
        build_model(resolve("moving-digits-mcvd-concat", ["model.network.mult=1,2,2"]), (1, 30, 30))


def test_what_a_recipe_knows_of_a_model_of_paths_is_what_the_model_knows():
    for name in ("moving-digits-ode", "moving-digits-ode-variational"):
        recipe = resolve(name, SHRUNKEN["ode-video"])
        model, spec = build_model(recipe, (1, 16, 16)), recipe.model
        assert (spec.tasks, spec.known, spec.frames, spec.variational) == (
            model.tasks,
            model.p,
            model.k,
            model.variational,
        )
        assert build_data(recipe).shape == (20, 1, 16, 16)
        assert not build_data(recipe).stochastic
    assert build_data(resolve("moving-digits-ode-two")).digits == 2


def test_a_recipe_of_the_published_scale_has_its_number_of_weights():
    published = [
        "model.encoder.cell=rnn", "model.encoder.gaps=false", "model.widths=8,16,32,32", "model.blocks=residual",
        "model.features=null", "model.latent=64", "model.objective=reconstruct", "data.size=64",
    ]  # fmt: skip
    model = build_model(resolve("moving-digits-ode-variational", published), (1, 64, 64))
    assert sum(value.numel() for value in model.parameters()) == 270_223


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["model.context=21"], "context is 21 of a window of 20"),
        (["model.objective=predict", "model.context=20"], "leave some to predict"),
        (["model.encoder={kind: stack, count: 11}"], "encoder.count is 11"),
        (["model.compared=21"], "compared is 21, and to both there are 20 frames"),
        (["model.compared=11", "model.objective=reconstruct"], "to reconstruct there are 10 frames"),
        (["model.order=2", "model.still=1"], "31 numbers of the state move"),
        (["model.encoder.cell=lstm"], "it can be gru or rnn"),
        (["model.sigma=0"], "must be above 0"),
        (["data.walls=rubber"], "it can be chance or mirror"),
    ],
)
def test_recipes_of_paths_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        resolve("moving-digits-ode-variational", changes)
    with pytest.raises(ConfigError, match=r"data\.walls is for videos"):
        resolve("digits-ddpm", ["data.walls=mirror"])
