"""Pictures of bodies whose points are known, and the way back to the pose."""

import json

import pytest
import torch
from PIL import Image

from unveil.body import JOINTS
from unveil.body.estimation import USUAL, Camera
from unveil.cli.app import run
from unveil.core.errors import ConfigError
from unveil.tasks.pose_estimate import estimate
from unveil.tasks.pose_photograph import photograph
from unveil.tasks.pose_solve import solve, write_pose

WAVE = [
    {"type": "position", "joint": "pelvis", "position": [0.0, 0.9, 0.0]},
    {"type": "position", "joint": "left_wrist", "position": [0.45, 1.55, 0.2]},
    {"type": "position", "joint": "right_wrist", "position": [-0.3, 0.9, 0.15]},
    {"type": "position", "joint": "left_ankle", "position": [0.12, 0.08, 0.1]},
    {"type": "position", "joint": "right_ankle", "position": [-0.12, 0.08, -0.05]},
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNVEIL_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return solve(WAVE)


def test_points_lie_on_the_body_and_where_a_camera_of_that_lens_sees_them(found):
    taken = photograph(found.pose, turn=0.0, size=(320, 256))
    assert taken.picture.shape == (3, 320, 256)
    assert tuple(taken.points) == USUAL
    dark = taken.picture.mean(0) < 0.75
    for name, (x, y) in taken.points.items():
        assert dark[round(y), round(x)], name
    # Seen from the front the camera's axes are the scene's, so one shift brings the body before it.
    joints = found.pose.joints(found.body)[0][0]
    camera = Camera.of_picture(320, 256, taken.focal)
    names = [name for name in USUAL if name in JOINTS]
    places = joints[[JOINTS.index(name) for name in names]]
    pixels = torch.tensor([taken.points[name] for name in names])
    # f x / z = u and f y / z = v are linear in the shift.
    u, v = (pixels - torch.tensor(camera.centre)).T / taken.focal
    zero, one = torch.zeros_like(u), torch.ones_like(u)
    rows = torch.cat([torch.stack([one, zero, u], 1), torch.stack([zero, -one, v], 1)])
    right = torch.cat([-places[:, 0] - u * places[:, 2], places[:, 1] - v * places[:, 2]])
    shift = torch.linalg.lstsq(rows, right[:, None]).solution[:, 0]
    torch.testing.assert_close(camera.project(places + shift), pixels, atol=0.05, rtol=0)


def test_the_pose_is_found_again_from_the_points(found, tmp_path):
    taken = photograph(found.pose, turn=15.0)
    (tmp_path / "points.json").write_text(json.dumps({"points": taken.points}))
    again = estimate(tmp_path / "points.json", size=(600, 480), focal=taken.focal)
    assert (again.estimates[0].betas.abs() < 3).all()
    pose, stood = again.estimates[0].pose, again.standing()
    skin = again.body(stood.rotations, stood.betas, stood.gender, pelvis=stood.pelvis).vertices[0]
    assert float(skin[:, 1].min()) == pytest.approx(0, abs=1e-5)
    assert stood.pelvis[0, [0, 2]].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert torch.equal(stood.rotations, pose.rotations)
    truth = found.pose.joints(found.body)[0]
    guess = again.estimates[0].pose.joints(again.body)[0]
    turned = _about(truth, -15.0)  # in the axes of the camera
    apart = (guess - guess[:, :1]) - (turned - turned[:, :1])
    assert float(apart.norm(dim=-1).mean()) < 0.08


def _about(points, degrees):
    angle = torch.deg2rad(torch.tensor(degrees))
    turn = torch.tensor([[angle.cos(), 0, angle.sin()], [0, 1, 0], [-angle.sin(), 0, angle.cos()]])
    return points @ turn.T


def test_the_command_writes_a_picture_and_its_points(found, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pose(found.pose, tmp_path / "pose.npz", found.body)
    words = ["pose", "photograph", "pose.npz", "--out", "photo.png", "--points", "points.json", "--size", "128x96"]
    assert run(words) == 0
    assert "13 points are in points.json" in capsys.readouterr().out
    assert Image.open("photo.png").size == (96, 128)
    assert set(json.loads((tmp_path / "points.json").read_text())["points"]) == set(USUAL)
    assert run(words) == 2
    assert "--force" in capsys.readouterr().err
    for wrong, word in (
        (["--out", "photo.jpg"], ".png"),
        (["--out", "p.png", "--size", "big"], "height and width"),
        (["--out", "p.png", "--size", "8x8"], "height is 8"),
        (["--out", "p.png", "--turn", "1000"], "-360 to 360"),
        (["--out", "p.png", "--points", "p.txt"], "end in .json"),
        (["--out", "p.png", "--frame", "3"], "1 frames"),
    ):
        assert run(["pose", "photograph", "pose.npz", *wrong]) == 2
        assert word in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "p.png").exists()


def test_a_turn_that_is_no_number_is_refused(found):
    with pytest.raises(ConfigError, match="turn is nan"):
        photograph(found.pose, turn=float("nan"))
