"""Runs of Hat Diffusion EBMs: trained through all stages, sampled part by part, and put to use."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

from unveil.cli.app import run as unveil
from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.recipes import resolve
from unveil.recipes.build import build_model
from unveil.tasks.distil import distil
from unveil.tasks.refine import check_refining, refine
from unveil.tasks.run import load
from unveil.tasks.sample import STAGES, sample
from unveil.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def hat(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hat") / "digits"
    return tiny_run(folder, "digits-hat", steps=2, overrides=["training.sample_every=2", "training.log_every=1"])


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("hat") / "toy", "toy-hat", steps=2)


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("hat") / "ddpm", steps=2, overrides=["model.predict=v"])


@pytest.fixture
def drawing(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "drawing.png")
    return tmp_path / "drawing.png"


def refused(arguments, capsys):
    assert unveil([str(word) for word in arguments]) == 2
    return " ".join(capsys.readouterr().err.split())


def test_one_training_goes_through_all_stages_and_shows_its_health(hat):
    lines = RunFolder(hat.path).read_log()
    assert list(dict.fromkeys(line["stage"] for line in lines)) == ["diffusion", "1-steps", "one", "two"]
    first = next(line for line in lines if line["stage"] == "one")
    for name in (
        "energy.gap",
        "energy.drift",
        "energy.shortened",
        "energy.residual",
        "energy.spread",
        "generator.loss",
    ):
        assert name in first
    assert "latent" in lines[-1]
    pictures = {path.name for path in (hat.path / "samples").iterdir()}
    assert pictures >= {f"{stage}-0000002.png" for stage in ("1-steps", "diffusion", "one", "two")}


def test_what_each_part_adds_is_drawn_from_the_same_latents(hat, tmp_path):
    parts = {stage: sample(hat, 3, stage=stage) for stage in STAGES}
    assert torch.equal(sample(hat, 3), parts["two"])
    assert torch.equal(sample(load(hat.path), 3, stage="one"), parts["one"])
    near = (parts["one"] - parts["kernel"]).square().mean()
    assert near < (parts["one"] - sample(hat, 3, stage="kernel", seed=1)).square().mean()
    out = tmp_path / "parts.png"
    assert unveil(["sample", str(hat.path), "-n", "3", "--stage", "all", "--out", str(out)]) == 0
    with Image.open(out) as picture:
        assert picture.height > picture.width  # four rows of three


def test_all_stages_are_those_that_were_trained(tmp_path, capsys):
    run = tiny_run(tmp_path / "digits", "digits-hat", steps=1, overrides=["model.lengths.two=0"])
    out = tmp_path / "parts.png"
    assert unveil(["sample", str(run.path), "-n", "4", "--stage", "all", "--out", str(out)]) == 0
    assert "a row each of proposal, kernel, one" in " ".join(capsys.readouterr().out.split())
    with Image.open(out) as picture:
        assert picture.height < picture.width  # three rows of four
    two = ["sample", run.path, "--stage", "two", "--out", tmp_path / "two.png"]
    assert "take --stage one, proposal or kernel" in refused(two, capsys)


def test_points_have_stages_too(points, tmp_path):
    assert sample(points, 5, stage="kernel").shape == (5, 2)
    assert unveil(["sample", str(points.path), "--stage", "one", "--out", str(tmp_path / "points.png")]) == 0


@pytest.mark.parametrize("kind", ["hat", "diffusion", "distilled"])
def test_pictures_are_moved_but_for_what_a_mask_keeps(kind, hat, diffusion, drawing, tmp_path):
    run = {"hat": hat, "diffusion": diffusion}.get(kind)
    if run is None:
        run = distil(diffusion.path, until=256, first_steps=2, round_steps=1, out=tmp_path / "one-step")
    mask = tmp_path / "mask.png"
    Image.fromarray(np.repeat(np.uint8([[0], [255]]), 4, 0) * np.ones((1, 8), np.uint8)).save(mask)
    found = refine(run, drawing, mask=mask)
    assert torch.equal(found.images[..., :4, :], found.given[..., :4, :])
    assert not torch.equal(found.images[..., 4:, :], found.given[..., 4:, :])
    many = torch.rand(5, 1, 8, 8) * 2 - 1
    moved = refine(run, many, batch=2).images
    torch.testing.assert_close(moved, refine(run, many).images, rtol=1e-4, atol=1e-4)
    assert torch.equal(refine(run, many, repeats=0, **({"steps": 0} if kind == "hat" else {})).images, many)


def test_how_far_a_diffusion_moves_pictures_is_up_to_until(diffusion):
    given = torch.rand(4, 1, 8, 8) * 2 - 1
    near, far = (float((refine(diffusion, given, until=until).images - given).square().mean()) for until in (20, 800))
    assert near < far


def test_the_command_refines_and_shows_both(hat, drawing, tmp_path, capsys):
    out, show = tmp_path / "moved.png", tmp_path / "both.png"
    words = ["refine", hat.path, drawing, "--repeats", "2", "--out", out, "--show", show]
    assert unveil([str(word) for word in words]) == 0
    assert f"is in {out}" in capsys.readouterr().out.replace("\n", " ")
    assert Image.open(out).size == (8, 8)
    assert "picture that is read" in refused(["refine", hat.path, drawing, "--out", drawing, "--force"], capsys)


def test_what_cannot_be_refined_or_sampled_is_refused(hat, diffusion, points, drawing, tmp_path, capsys):
    out = tmp_path / "x.png"
    assert "points, not of pictures" in refused(["refine", points.path, drawing, "--out", out], capsys)
    assert "leave --until" in refused(["refine", hat.path, drawing, "--until", 100, "--out", out], capsys)
    assert "1 to 1000" in refused(["refine", diffusion.path, drawing, "--until", 1001, "--out", out], capsys)
    assert "did you mean kernel" in refused(["sample", hat.path, "--stage", "kernl", "--out", out], capsys)
    assert "samples in one piece" in refused(["sample", diffusion.path, "--stage", "one", "--out", out], capsys)
    assert "Langevin chains and takes no sampler" in refused(
        ["sample", hat.path, "--sampler", "ddim", "--out", out], capsys
    )
    assert "unveil refine" in refused(["edit", diffusion.path, drawing, "--task", "paint", "--out", out], capsys)
    assert "samples of this run are points; take" in refused(
        ["sample", points.path, "--stage", "all", "--out", out], capsys
    )
    with pytest.raises(ConfigError, match="moved by a diffusion"):
        check_refining(resolve("digits-rgm-d"))
    check_refining(resolve("digits-ddpm", ["model.labels=true"]))  # which has seen pictures without them, too
    with pytest.raises(ConfigError, match="with their labels"):
        check_refining(resolve("digits-ddpm", ["model.labels=true", "model.label_dropout=0"]))
    assert "judges pictures of one size" in refused(["refine", hat.path, drawing, "--keep-size", "--out", out], capsys)
    with pytest.raises(ShapeError, match=r"pictures are \(1, 8, 8\)"):
        refine(hat, torch.zeros(1, 1, 4, 4))
    for wrong in (torch.full((1, 1, 8, 8), 200.0), torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(0, 1, 8, 8)):
        with pytest.raises(DataError, match=r"x / 127\.5 - 1"):
            refine(diffusion, wrong)


@pytest.mark.parametrize(("changes", "said"), [
    (["model.first_steps=6"], "times 2, 4, 8"),
    (["model.until=2000"], "1 to 1000"),
    (["model.energy.kind=point-energy"], "all three for"),
    (["model.schedule.kind=geometric-ve"], "variance-preserving"),
    (["model.one.tau=0"], "above 0"),
    (["model.bank=47"], "keeps 47 pairs and training.batch_size is 48"),
])  # fmt: skip
def test_recipes_that_cannot_work_are_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        resolve("digits-hat", changes)


def test_networks_and_data_must_be_of_one_kind():
    with pytest.raises(ConfigError, match="data are points"):
        build_model(resolve("digits-hat"), (2,))
    with pytest.raises(ConfigError, match="data are pictures"):
        build_model(resolve("toy-hat"), (1, 8, 8))
    with pytest.raises(ConfigError, match=r"model\.energy.*multiples of 4"):
        build_model(resolve("digits-hat"), (1, 10, 10))
