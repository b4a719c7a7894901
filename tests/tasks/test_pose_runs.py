"""Runs of inverse kinematics: trained, resumed, drawn, measured."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

import unveil
from unveil.body import Pose, random_motion, write_amass
from unveil.cli.app import run as command
from unveil.core.errors import ConfigError, RunError
from unveil.core.random import Streams
from unveil.data.random_poses import RandomPoses
from unveil.models.pose_ik import PoseIK
from unveil.recipes import resolve
from unveil.recipes.build import build_data
from unveil.tasks.pose_picture import solved_beside_true
from unveil.tasks.pose_quality import measure_poses
from unveil.tasks.pose_run import load_poser
from unveil.tasks.run import Run, read_recipe


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny_run(
        tmp_path_factory.mktemp("runs") / "poses", "motions-ik", steps=4, overrides=["training.sample_every=4"]
    )


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_a_run_comes_back(run):
    again = unveil.load(run.path)
    assert same(again.model, run.model)
    assert read_recipe(run.path).model.network.width == 16
    assert (run.path / "weights.safetensors").stat().st_size < 200_000  # the body is not among the weights


def test_training_draws_solved_poses_beside_the_true_ones(run):
    picture = np.asarray(Image.open(run.path / "samples" / "train-0000004.png"), dtype=float)
    assert picture.shape[0] == 600
    assert picture.shape[1] > 800
    blue = (picture[..., 2] > picture[..., 0] + 30).mean()
    clay = ((picture[..., 0] > picture[..., 2] + 10) & (picture[..., 0] < 230)).mean()
    assert 0.02 < blue < 0.5
    assert 0.02 < clay < 0.5


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(tmp_path):
    often = ["training.save_every=2"]
    whole = tiny_run(tmp_path / "whole", "motions-ik", steps=6, overrides=often)
    learn, seen = PoseIK.moves, []

    def killed(self, batch):
        seen.append(batch.step)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return learn(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PoseIK, "moves", killed)
        with pytest.raises(KeyboardInterrupt):
            tiny_run(tmp_path / "cut", "motions-ik", steps=6, overrides=often)
    resumed = tiny_run(tmp_path / "cut", "motions-ik", steps=6, overrides=often, resume=True)
    assert same(resumed.model, whole.model)


def test_files_of_motions_are_trained_on_and_known_again(run, tmp_path):
    body = run.model.body
    for seed in range(3):
        motion = random_motion(body, 20, generator=Streams(seed, 1))
        write_amass(motion, tmp_path / f"0{seed}_01.npz", body)
    mine = tiny_run(tmp_path / "run", "cmu-ik", steps=2, data=tmp_path)
    recipe = read_recipe(mine.path)
    assert recipe.data.source == str(tmp_path.resolve())
    train, test = (build_data(recipe, split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (40, 20)
    with pytest.raises(RunError, match="others"):
        tiny_run(tmp_path / "run", "cmu-ik", steps=4, data="motions", resume=True)


def perfect(data, body, places):
    """A solver that knows the poses that are asked, in the order of a measurement."""
    turns = iter(places)

    def solve(asked, betas, gender):
        pose, _ = data.batch(next(turns))
        rest = Pose(pose, torch.zeros(len(pose), 3), betas, gender)
        return rest

    return solve


def test_a_solver_that_knows_the_poses_has_no_error_and_another_has_its_own(run):
    data, body = RandomPoses(60), run.model.body
    groups = [list(range(50)), list(range(50, 60))]
    known = measure_poses(
        perfect(data, body, [g for g in groups for _ in range(2)]), data, body, "release", poses=60, draws=2
    )
    assert max(known.mpjpe, known.mpjpe_abs, known.position) < 0.01  # mm
    assert max(known.pa_mpjpe, known.geodesic) < 0.01
    assert known.protocol == "release"

    def shifted(asked, betas, gender):
        pose = exact(asked, betas, gender)
        return Pose(pose.rotations, pose.pelvis + torch.tensor([0.03, 0.0, 0.04]), betas, gender)

    exact = perfect(data, body, [[0, 1, 2, 3]] * 3)
    moved = measure_poses(shifted, RandomPoses(4), body, "six", draws=3)
    assert moved.mpjpe < 0.01
    assert moved.mpjpe_abs == pytest.approx(50, rel=1e-3)
    assert moved.position == pytest.approx(50, rel=1e-3)
    assert moved.pa_mpjpe < 0.01
    assert moved.rotation is None
    assert moved.look is None


def test_a_measurement_is_repeated_exactly(run):
    data = RandomPoses(30)
    first, again, other = (
        measure_poses(run.model.solve, data, run.model.body, "thesis", draws=2, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again != other
    with pytest.raises(ConfigError, match="thesis, release"):
        measure_poses(run.model.solve, data, run.model.body, "none")
    with pytest.raises(ConfigError, match="draws"):
        measure_poses(run.model.solve, data, run.model.body, "six", draws=0)


def test_the_picture_is_of_the_data_it_is_given(run):
    picture = solved_beside_true(run.model, RandomPoses(100))
    assert picture.shape[:2] == (1, 3)
    assert picture.shape[2] == 600
    assert picture.abs().max() <= 1
    assert torch.equal(picture, solved_beside_true(run.model, RandomPoses(100)))


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("sample {run} --out x.png", "poses bodies"),
        ("export {run} --out x", "only diffusions"),
        ("train digits-ddpm --data motions --out x", "not pictures"),
        ("train moving-digits-ode --data motions --out x", "not clips"),
        ("train single-image --data motions --out x", "one picture"),
        ("train motions-ik --data digits --out x", "holds no motions"),
        ("train cmu-ik --out x", "needs --data"),
    ],
)
def test_what_a_run_of_poses_is_not_for_is_told(run, line, answer, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command(line.format(run=run.path).split()) == 2
    assert answer in capsys.readouterr().err


def test_what_to_do_with_a_run_is_told(run, capsys):
    assert command(["train", str(run.path), "--resume"]) == 0
    assert "unveil pose solve --run" in capsys.readouterr().out.replace("\n", " ")


def test_a_run_in_hand_of_another_kind_poses_no_bodies_either():
    with pytest.raises(RunError, match="is a diffusion, which poses no bodies"):
        load_poser(Run(Path("runs/digits"), resolve("digits-ddpm"), None))
