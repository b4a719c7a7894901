"""What runs of flows tell their users: what was never trained, what cannot be drawn, and what is measured alike."""

import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

import unveil
from unveil.cli.app import run as command
from unveil.core.errors import DivergenceError, ShapeError
from unveil.ode import Solver, solve


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "flow", recipe="digits-mrcnf", steps=2)


@pytest.mark.filterwarnings("ignore:No picture was drawn after step 2 of stage .8x8")
def test_a_training_outlives_a_picture_that_no_solver_can_draw(tmp_path):
    changes = [
        "model.test_solver={method: dopri5, rtol: 1e-6, atol: 1e-6, max_evaluations: 8}",
        "training.sample_every=2",
    ]
    with pytest.warns(UserWarning, match=r"No picture was drawn after step 2 of stage '4x4'.*spent its budget"):
        run = tiny_run(tmp_path / "run", recipe="digits-mrcnf", steps=2, overrides=changes)
    assert (run.path / "weights.safetensors").is_file()
    assert not list((run.path / "samples").glob("*.png"))
    assert json.loads((run.path / "log.jsonl").read_text().splitlines()[-1])["step"] == 2
    with pytest.raises(DivergenceError, match="spent its budget"):
        unveil.sample(run, 1)


def test_what_a_run_was_never_trained_for_is_told(flow, tmp_path):
    details = tiny_run(tmp_path / "details", recipe="digits-mrcnf", steps=2, overrides=["model.only=1"])
    with pytest.warns(UserWarning, match="never trained at 4x4 pixels"):
        unveil.sample(details, 1)
    with pytest.warns(UserWarning, match="never trained at 4x4 pixels"):
        unveil.likelihood(details, "digits", n=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unveil.restore(details, torch.zeros(1, 4, 4), "downsample:2")  # which asks the finest alone
        unveil.sample(flow, 1)
    coarse = tiny_run(tmp_path / "coarse", recipe="digits-mrcnf", steps=2, overrides=["model.only=2"])
    with pytest.warns(UserWarning, match="never trained at 8x8 pixels"):
        unveil.restore(coarse, torch.zeros(1, 4, 4), "downsample:2")


def test_squares_in_their_places_cost_what_the_picture_does(flow):
    bits = [unveil.likelihood(flow, "digits", n=3, shuffle=patch).each for patch in (None, 8, 2)]
    assert torch.equal(bits[0], bits[1])
    assert not torch.equal(bits[0], bits[2])


def test_nothing_is_measured_where_a_source_cannot_be_opened(flow, tmp_path, capsys):
    Image.new("L", (8, 8)).save(tmp_path / "one.png")
    assert command(["likelihood", str(flow.path), "digits", str(tmp_path), "--split", "test", "-n", "2"]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert "too few to hold a fifth out" in " ".join(said.err.split())


def test_details_at_a_temperature_from_the_command_line(flow, tmp_path, capsys):
    picture = tmp_path / "small.png"
    Image.fromarray(np.arange(0, 256, 16, dtype=np.uint8).reshape(4, 4)).save(picture)
    drawn = []
    for seed in (0, 1):
        out = tmp_path / f"{seed}.png"
        told = ["--operator", "downsample:2", "--temperature", "1", "--seed", str(seed), "--out", str(out)]
        assert command(["restore", str(flow.path), str(picture), *told]) == 0
        drawn.append(np.asarray(Image.open(out)))
    assert not np.array_equal(*drawn)
    for temperature in ("-1", "nan"):
        told = ["--operator", "downsample:2", "--temperature", temperature, "--out", str(tmp_path / "no.png")]
        assert command(["restore", str(flow.path), str(picture), *told]) == 2
        assert "must be a finite number, 0 or more" in " ".join(capsys.readouterr().err.split())
    diffusion = tiny_run(tmp_path / "diffusion", steps=1)
    assert command(["restore", str(diffusion.path), str(picture), *told]) == 2
    assert "Only a flow draws details" in " ".join(capsys.readouterr().err.split())


def test_a_picture_in_colour_is_none_for_a_grey_flow(flow):
    with pytest.raises(ShapeError, match="pictures that are grey, and this one is in colour"):
        unveil.restore(flow, torch.zeros(3, 4, 4), "downsample:2")


def test_tolerances_below_a_numbers_digits_are_named():
    x = torch.ones(2, 3)
    with pytest.raises(DivergenceError, match=r"rtol=1e-30 and atol=1e-30 are too small for float32"):
        solve(lambda t, x: x.sin(), x, torch.tensor([0.0, 1.0]), Solver("dopri5", rtol=1e-30, atol=1e-30))
    with pytest.raises(DivergenceError, match="stopped being finite"):
        solve(lambda t, x: x / 0, x, torch.tensor([0.0, 1.0]), Solver("dopri5"))
