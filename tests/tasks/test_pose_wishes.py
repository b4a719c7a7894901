"""What is asked of a pose and does not count, cannot be, or is drawn; and what a pose is read from."""

import json

import pytest
import torch
from tiny_runs import tiny_run

from unveil.body import Body
from unveil.core.errors import ConfigError, DataError
from unveil.tasks.pose_estimate import estimate
from unveil.tasks.pose_render import effector_figure
from unveil.tasks.pose_solve import read_pose, solve, write_pose

PELVIS = {"type": "position", "joint": "pelvis", "position": [0.0, 0.95, 0.0]}
WRIST = {"type": "position", "joint": "left_wrist", "position": [0.45, 1.4, 0.25]}
LOOK = {"type": "look-at", "joint": "head", "target": [0.0, 1.6, 300.0]}
TURN = {"type": "rotation", "joint": "spine3", "euler": [0, 20, 0]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNVEIL_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return tiny_run(tmp_path_factory.mktemp("wishes") / "run", "motions-ik", steps=2).path


def test_what_weighs_nothing_is_not_asked(run):
    beyond = {**WRIST, "position": [9.0, 9.0, 9.0], "weight": 0}
    found, without = solve([PELVIS, beyond], run), solve([PELVIS], run)
    assert found.reached == (True,)
    assert found.notes == ()
    torch.testing.assert_close(found.pose.rotations, without.pose.rotations)
    with pytest.raises(ConfigError, match="The effectors hold no position"):
        solve([{**PELVIS, "weight": 0}], run)


def test_lengths_that_are_no_metres_are_told(run):
    hundredfold = [{**one, "position": [100 * x for x in one["position"]]} for one in (PELVIS, WRIST)]
    assert "were these centimetres" in solve(hundredfold, run).notes[-1]
    assert not any("centimetres" in note for note in solve([PELVIS, {**WRIST, "position": [3, 1, 0]}], run).notes)
    with pytest.raises(ConfigError, match=r"left_wrist is farther than 1000 m"):
        solve([PELVIS, {**WRIST, "position": [0, 1e30, 0]}], run)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"type": "position", "joint": "head", "position": [0, %d, 0]}]', "3 finite numbers"),
        ('[{"type": "position", "joint": "head", "position": [0, 1, 0], "weight": %d}]', "'weight' is 1000"),
        ('{"effectors": [], "betas": [%d]}', "must be finite and less than 1000"),
    ],
)
def test_integers_beyond_all_numbers_are_refused(run, tmp_path, content, message):
    (tmp_path / "w.json").write_text(content % 10**400)
    with pytest.raises((ConfigError, DataError), match=message):
        solve(tmp_path / "w.json", run)


def test_what_is_far_away_is_drawn_near_and_in_its_direction(run):
    found = solve([PELVIS, LOOK, TURN], run)
    head, chest = (found.pose.joints(found.body)[0][0, joint] for joint in (15, 9))
    figure = effector_figure(found.body, found.pose, found.effectors)
    assert figure.vertices.shape == figure.colour.shape
    blue = figure.vertices[(figure.colour[:, 2] - figure.colour[:, 0]) > 0.3]
    way = blue.mean(0) - head
    assert float(way.norm()) == pytest.approx(1.5, abs=0.01)
    torch.testing.assert_close(way / way.norm(), torch.tensor([0.0, 0.0, 1.0]), atol=0.02, rtol=0)
    green = figure.vertices[(figure.colour[:, 1] - figure.colour[:, 0]) > 0.2]
    torch.testing.assert_close(green.mean(0), chest, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "holds no pose; give what"),
        ('{"pose": {"rotations": 1}}', "or pose that can be read: a pose has rotations and a pelvis"),
        ('{"pose": {"rotations": [[1, 2], [3]], "pelvis": [0, 0, 0]}}', "no effectors or pose that can be read"),
        ('{"pose": {"rotations": [], "pelvis": [0, 0, 0]}}', "no effectors or pose that can be read"),
        ('{"gender": 4}', "gender is 4; it must be male, female or neutral"),
        (f'{{"pose": {{"rotations": {10**400}, "pelvis": [0, 0, 0]}}}}', "no effectors or pose that can be read"),
        ("{", "is no JSON"),
    ],
)
def test_a_file_without_a_pose_is_refused(tmp_path, content, message):
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_pose(tmp_path / "p.json", Body.embedded())


def test_a_file_of_one_pose_has_one_frame(run, tmp_path):
    found = solve([PELVIS], run)
    write_pose(found.pose, tmp_path / "p.json", found.body)
    torch.testing.assert_close(read_pose(tmp_path / "p.json", found.body, -1).rotations, found.pose.rotations)
    with pytest.raises(ConfigError, match="frame is 3"):
        read_pose(tmp_path / "p.json", found.body, 3)


def test_points_are_of_the_picture_they_are_given_with(run, tmp_path):
    names = [f"{side}_{part}" for part in ("shoulder", "hip", "knee") for side in ("left", "right")]
    points = {name: [5000 + 10 * n, 20 * n] for n, name in enumerate(names)}
    (tmp_path / "p.json").write_text(json.dumps({"points": points}))
    with pytest.raises(ConfigError, match="None of the points lies in a picture 480 pixels high and 640 wide"):
        estimate(tmp_path / "p.json", run, size=(480, 640))
    with pytest.raises(DataError, match=r"^'[^']*none.json' cannot be read: No such file or directory\.$"):
        estimate(tmp_path / "none.json", run)
    (tmp_path / "few.json").write_text('{"points": {"nose": [1, 2]}}')
    with pytest.raises(DataError, match=r"mark 4 at least\.$"):
        estimate(tmp_path / "few.json", run)
    (tmp_path / "bent.json").write_text('{"poses": [[1, 2]]}')
    with pytest.raises(DataError, match=r"no person's points.* a pose has the shape"):
        estimate(tmp_path / "bent.json", run)
    with pytest.raises(ConfigError, match="Both a picture"):
        estimate(tmp_path / "p.json", run, size=(480, 640), image=tmp_path / "p.png")
