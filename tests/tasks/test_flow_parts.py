"""One run of flows that were trained apart."""

import numpy as np
import pytest
import torch
from tiny_runs import tiny_run

import unveil
from unveil.cli.app import run as command
from unveil.core.errors import ConfigError, ExistsError
from unveil.tasks.flow_parts import attach_run, join_runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("parts")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.save(place / "pictures.npy", pixels)
    np.save(place / "halves.npy", pixels.reshape(40, 4, 2, 4, 2).mean((2, 4)).astype(np.uint8))
    for name, changes in {
        "details": ["model.only=1"],
        "coarse": ["model.only=2"],
        "whole": [],
        "wide": ["model.only=1", "model.hidden=6,6"],
        "small": ["model.resolutions=1", "model.logit=none", "model.levels=256"],
        "large": ["model.logit=none", "model.only=1", "model.levels=256"],
    }.items():
        source = {"small": place / "halves.npy", "large": place / "pictures.npy"}.get(name)
        tiny_run(place / name, recipe="digits-mrcnf", steps=2, overrides=changes, data=source)
    tiny_run(place / "points", recipe="toy-rgm-mmse", steps=2)
    return place


def test_resolutions_of_several_processes_become_one_run(runs, tmp_path):
    run = join_runs([runs / "details", runs / "coarse"], tmp_path / "one")
    again = unveil.load(tmp_path / "one")
    assert again.recipe == run.recipe
    assert again.recipe.model.only is None
    x = unveil.open_images("digits").batch(range(3))[0]
    u = again.model.dequantise(x, unveil.Streams(0, 3))
    whole, _, _ = again.model.terms(u)
    for place, name in enumerate(("details", "coarse")):
        part = unveil.load(runs / name).model.terms(u)[0][place]
        torch.testing.assert_close(whole[place], part, rtol=1e-5, atol=1e-5)
    assert command(["sample", str(tmp_path / "one"), "-n", "2", "--out", str(tmp_path / "two.png")]) == 0
    with pytest.raises(ExistsError):
        join_runs([runs / "details", runs / "coarse"], tmp_path / "one")
    join_runs([runs / "coarse", runs / "details"], tmp_path / "one", force=True)


def test_a_finer_resolution_makes_a_run_of_larger_pictures(runs, tmp_path):
    run = attach_run(runs / "small", runs / "large", tmp_path / "both")
    assert (run.recipe.model.resolutions, run.recipe.data.size) == (2, (8, 8))
    assert run.model.sample(2).shape == (2, 1, 8, 8)
    x = unveil.open_images(runs / "pictures.npy", split="all").batch(range(3))[0]
    u = run.model.dequantise(x, unveil.Streams(0, 3))
    half = torch.nn.functional.avg_pool2d(u, 2)
    parts = run.model.terms(u)[0][1:], unveil.load(runs / "small").model.terms(half)[0]
    torch.testing.assert_close(*parts, rtol=1e-5, atol=1e-5)
    assert unveil.likelihood(tmp_path / "both", runs / "pictures.npy", n=2).each.shape == (2,)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("details", "details"), "of resolution 1, as"),
        (("details", "whole"), "trained for all resolutions"),
        (("coarse", "wide"), r"model\.hidden is \(4, 4\) in"),
        (("details",), "model for each resolution"),
        (("points",), "is a restoration"),
    ],
)
def test_runs_that_do_not_fit_are_not_joined(runs, tmp_path, names, said):
    with pytest.raises(ConfigError, match=said):
        join_runs([runs / name for name in names], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_resolution_that_does_not_fit_is_not_attached(runs, tmp_path):
    with pytest.raises(ConfigError, match="goes a model of 2 resolutions or more"):
        attach_run(runs / "whole", runs / "details", tmp_path / "none")
    with pytest.raises(ConfigError, match=r"model\.logit is none"):
        attach_run(runs / "small", runs / "whole", tmp_path / "none")
    assert not (tmp_path / "none").exists()
