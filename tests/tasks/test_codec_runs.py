"""Runs of diffusions on codes, and of codecs alone: trained, sampled, resumed and used."""

import json

import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

from unveil.cli.app import run as unveil
from unveil.core.errors import ConfigError
from unveil.data import open_images
from unveil.recipes import resolve
from unveil.tasks.codec import open_codec
from unveil.tasks.run import load
from unveil.tasks.sample import check_sampling, sample, walk_of


@pytest.fixture(scope="module", params=["continuous", "categorical"])
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "run"
    return tiny_run(
        folder, f"fashion-codec-{request.param}", data="digits", overrides=["data.size=8", "training.sample_every=3"]
    )


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
    folder = tmp_path_factory.mktemp("codec") / "run"
    changes = ["model.name=VQ-4", "model.bits=4", "model.patch=4", "data.size=8", "data.channels=1"]
    return tiny_run(folder, "photos-codec", steps=None, data="digits", overrides=changes)


def refused(arguments, capsys):
    assert unveil([str(word) for word in arguments]) == 2
    return capsys.readouterr().err


def test_a_run_holds_its_codec(run):
    again = load(run.path)
    assert again.model.codec.codec.fingerprint == run.model.codec.codec.fingerprint
    assert torch.equal(sample(again, 5, steps=3), sample(run, 5, steps=3))
    x = open_images("digits", size=8).batch(range(4))[0]
    assert torch.equal(again.model.encode(x), run.model.encode(x))
    assert (run.path / "samples" / "generator-0000003.png").is_file()
    assert (run.path / "samples" / "refiner-0000001.png").is_file() == (again.model.refiner is not None)


def test_a_sample_does_not_depend_on_its_batch(run):
    together, apart = sample(run, 6, steps=3, batch=6), sample(run, 6, steps=3, batch=4)
    torch.testing.assert_close(together, apart)
    assert not torch.equal(together, sample(run, 6, steps=3, seed=1))


def test_the_command_samples_at_a_temperature(run, tmp_path, capsys):
    files = []
    for temperature in (0, 0.5):
        out = tmp_path / f"{temperature}.png"
        given = ["sample", run.path, "-n", 4, "--steps", 2, "--temperature", temperature, "--out", out]
        assert unveil([str(word) for word in given]) == 0
        files.append(out)
    with Image.open(files[1]) as picture:
        assert json.loads(picture.text["unveil"])["temperature"] == 0.5


def test_what_codes_cannot_be_sampled_by_is_refused(run, tmp_path, capsys):
    out = tmp_path / "x.png"
    for options, said in (
        (["--sampler", "heun"], "samples by ancestral or ddim, not by 'heun'"),
        (["--steps", 500], "has 200; take 1 to 200"),
        (["--guidance", 2], "knows no labels"),
        (["--temperature", -1], "temperature"),
    ):
        assert said in refused(["sample", run.path, "--out", out, *options], capsys)
    assert check_sampling(run.recipe, 3, steps=5, sampler="ddim", temperature=0.0) == []
    assert walk_of(run.recipe) == {"steps": 200, "sampler": "ancestral"}


def test_other_codecs_cannot_follow_in_a_run(run, capsys):
    said = refused(["train", run.path, "--resume", "--data", "digits", "model.codec.patch=2"], capsys)
    assert "model.codec.patch 4, not 2" in said


# --- codecs alone -------------------------------------------------------------------------------------------------------


def test_a_codec_is_a_run_too(codec, tmp_path, capsys):
    again = load(codec.path)
    assert again.model.codec.fingerprint == codec.model.codec.fingerprint
    assert open_codec(codec.path).fingerprint == codec.model.codec.fingerprint
    Image.fromarray(open_images("digits").batch([0])[0][0, 0].add(1).mul(127).byte().numpy()).save(
        tmp_path / "digit.png"
    )
    packed, back = tmp_path / "digit.uvc", tmp_path / "back.png"
    for given in (
        ["codec", "encode", tmp_path / "digit.png", "--codec", codec.path, "--out", packed],
        ["codec", "decode", packed, "--codec", codec.path, "--out", back],
        ["codec", "info", codec.path],
    ):
        assert unveil([str(word) for word in given]) == 0
    assert "VQ-4" in capsys.readouterr().out
    with Image.open(back) as picture:
        assert picture.size == (8, 8)


def test_a_diffusion_on_codes_lends_its_codec(run):
    assert open_codec(run.path).fingerprint == run.model.codec.codec.fingerprint


def test_the_command_that_fits_a_codec_says_what_it_is_for(tmp_path, capsys):
    out = tmp_path / "run"
    given = [
        "train",
        "photos-codec",
        "--data",
        "digits",
        "--out",
        out,
        "model.name=VQ-4",
        "model.bits=4",
        "model.patch=4",
    ]
    given += ["data.size=8", "data.channels=1"]
    assert unveil([str(word) for word in given]) == 0
    assert "unveil codec encode" in capsys.readouterr().out
    assert unveil(["train", str(out), "--resume"]) == 0
    assert "finished already" in capsys.readouterr().out
    assert "makes pictures small and makes none" in refused(["sample", out, "--out", tmp_path / "x.png"], capsys)


def test_runs_without_codecs_are_refused_as_codecs(tmp_path):
    plain = tiny_run(tmp_path / "run", steps=1)
    with pytest.raises(ConfigError, match="is the run of a diffusion, which has no codec"):
        open_codec(plain.path)


def test_recipes_of_codecs_read_as_what_they_are():
    assert resolve("photos-codec").model.layout().planes == 6
