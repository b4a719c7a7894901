"""Poses solved, recovered, estimated and given to others, through files."""

import json

import numpy as np
import pytest
import torch
from tiny_runs import tiny_run

from unveil.body import (
    JOINTS,
    Body,
    BodyMotion,
    Motion,
    Skeleton,
    estimation,
    key_poses,
    read_body_motion,
    read_glb,
    read_motion,
    write_motion,
)
from unveil.body import angles_to_pose as posed
from unveil.core.errors import ConfigError, DataError, RunError
from unveil.tasks.pose_character import retarget, shape
from unveil.tasks.pose_estimate import estimate
from unveil.tasks.pose_evaluate import evaluate
from unveil.tasks.pose_solve import read_pose, recover, solve, write_pose

WISHES = [
    {"type": "position", "joint": "pelvis", "position": [0.0, 0.95, 0.0]},
    {"type": "position", "joint": "left_wrist", "position": [0.45, 1.4, 0.25]},
    {"type": "position", "joint": "right_ankle", "position": [-0.1, 0.1, 0.05]},
    {"type": "look-at", "joint": "head", "target": [1.0, 1.7, 1.5]},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNVEIL_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return tiny_run(tmp_path_factory.mktemp("poser") / "run", "motions-ik", steps=2).path


@pytest.fixture
def wishes(tmp_path):
    (tmp_path / "wishes.json").write_text(json.dumps(WISHES))
    return tmp_path / "wishes.json"


def test_what_is_asked_is_met_and_written_in_every_kind_of_file(run, wishes, tmp_path):
    found = solve(wishes, run, betas=[1.0, -0.5], gender="female")
    positions, world = found.pose.joints(found.body)
    for place, (joint, where) in enumerate([(0, [0, 0.95, 0]), (20, [0.45, 1.4, 0.25]), (8, [-0.1, 0.1, 0.05])]):
        assert (positions[0, joint] - torch.tensor(where)).norm() < 2e-3
        assert found.reached[place]
    ahead = world[0, 15, :, 2]
    wanted = torch.nn.functional.normalize(torch.tensor([1.0, 1.7, 1.5]) - positions[0, 15], dim=0)
    assert float(ahead @ wanted) > 0.999
    assert found.notes == ()
    for suffix in ("npz", "bvh", "json", "glb", "obj", "ply"):
        write_pose(found.pose, tmp_path / f"pose.{suffix}", found.body, found.effectors)
    for suffix in ("npz", "json"):
        again = read_pose(tmp_path / f"pose.{suffix}", found.body)
        torch.testing.assert_close(again.rotations, found.pose.rotations, atol=2e-5, rtol=0)
        torch.testing.assert_close(again.pelvis, found.pose.pelvis, atol=1e-5, rtol=0)
        torch.testing.assert_close(again.betas, found.pose.betas)
        assert int(again.gender) == 1
    for suffix in ("bvh", "glb"):
        moved = read_motion(tmp_path / f"pose.{suffix}", found.body)
        order = [moved.skeleton.index(name) for name in JOINTS]
        torch.testing.assert_close(moved.world()[1][0, order], positions[0], atol=1e-4, rtol=0)
    skin = found.body(found.pose.rotations, found.pose.betas, found.pose.gender, pelvis=found.pose.pelvis).vertices[0]
    lines = (tmp_path / "pose.obj").read_text().splitlines()
    corners = torch.tensor([[float(x) for x in line.split()[1:]] for line in lines if line.startswith("v ")])
    torch.testing.assert_close(corners, skin, atol=1e-5, rtol=0)
    assert (tmp_path / "pose.ply").read_bytes().startswith(b"ply\nformat binary_little_endian 1.0\n")
    again = solve(tmp_path / "pose.json", run)  # which holds the effectors, the shape and the gender
    torch.testing.assert_close(again.pose.betas[0, :2], torch.tensor([1.0, -0.5]))
    assert again.effectors.number == len(WISHES)


def test_a_body_of_another_size_is_solved_and_written_in_the_scenes_metres(run, tmp_path):
    foot = {"type": "position", "joint": "left_ankle", "position": [0.15, 0.1, 0.0], "tolerance": 0.006, "floor": True}
    turned = {"type": "rotation", "joint": "right_wrist", "euler": [0, 0, 40], "tolerance": 0.2}
    asked = {"effectors": [*WISHES[:2], foot, turned, WISHES[3]], "scale": 1.2, "betas": [0.5], "gender": "male"}
    (tmp_path / "large.json").write_text(json.dumps(asked))
    found = solve(tmp_path / "large.json", run)
    positions = 1.2 * found.pose.joints(found.body)[0][0]
    for joint, where in ((0, [0, 0.95, 0]), (20, [0.45, 1.4, 0.25])):
        assert (positions[joint] - torch.tensor(where)).norm() < 2e-3
    assert (found.scale, found.floor) == (1.2, (7,))
    for suffix in ("json", "bvh", "glb", "obj", "npz"):
        how = {"scale": found.scale, "floor": found.floor}
        write_pose(found.pose, tmp_path / f"pose.{suffix}", found.body, found.effectors, **how)
    for suffix in ("bvh", "glb"):
        moved = read_motion(tmp_path / f"pose.{suffix}", found.body, units="m")
        order = [moved.skeleton.index(name) for name in JOINTS]
        torch.testing.assert_close(moved.world()[1][0, order], positions, atol=1e-4, rtol=0)
    (clip,) = read_glb(tmp_path / "pose.glb", units="m").motions.values()
    skin = read_glb(tmp_path / "pose.glb", units="m").move(clip)[0]
    lines = (tmp_path / "pose.obj").read_text().splitlines()
    corners = torch.tensor([[float(x) for x in line.split()[1:]] for line in lines if line.startswith("v ")])
    assert (skin.amax(0) - corners.amax(0)).abs().max() < 0.02
    for suffix in ("json", "npz"):  # which are of the body in its own size
        again = read_pose(tmp_path / f"pose.{suffix}", found.body)
        torch.testing.assert_close(again.pelvis, found.pose.pelvis, atol=1e-5, rtol=0)
    whole = json.loads((tmp_path / "pose.json").read_text())
    for theirs, ours in zip(whole["effectors"], asked["effectors"], strict=True):
        assert {key for key in ours if key != "euler"} <= theirs.keys()
        for key in ("position", "target", "tolerance"):
            assert theirs.get(key) == (pytest.approx(ours[key], abs=1e-6) if key in ours else None)
    assert whole["effectors"][2]["floor"] is True
    torch.testing.assert_close(solve(tmp_path / "pose.json", run).pose.pelvis, found.pose.pelvis, atol=1e-4, rtol=0)


def test_a_distance_is_told_in_the_scenes_metres(run, tmp_path):
    far = [WISHES[0], {"type": "position", "joint": "left_wrist", "position": [3.0, 0.95, 0.0]}]
    (tmp_path / "far.json").write_text(json.dumps({"effectors": far, "scale": 0.5}))
    found = solve(tmp_path / "far.json", run)
    wrist = 0.5 * found.pose.joints(found.body)[0][0, 20]
    assert found.missed[1] == pytest.approx(float((wrist - torch.tensor([3.0, 0.95, 0.0])).norm()), abs=1e-3)


def test_what_cannot_be_reached_is_told_with_the_distance(run):
    far = [*WISHES[:1], {"type": "position", "joint": "left_wrist", "position": [3.0, 0.95, 0.0]}]
    found = solve(far, run)
    assert not found.reached[1]
    (note,) = (one for one in found.notes if "left_wrist" in one)
    assert f"missed by {1000 * found.missed[1]:.0f} mm" in note
    assert 0.5 < found.missed[1] < 3.0


def test_a_pictures_sides_are_the_body_and_its_bones(run):
    picture = solve(WISHES, run).picture()
    assert picture.shape[0] == 3
    assert picture.shape[2] > 0.8 * picture.shape[1]
    assert float(picture.amin()) < 0 < float(picture.amax())


def test_effectors_of_a_pose_bring_it_back(run, tmp_path):
    found = solve(WISHES, run)
    write_pose(found.pose, tmp_path / "pose.npz", found.body)
    back = recover(tmp_path / "pose.npz", run, most=4, refine=10)
    assert 1 <= back.effectors.number <= 4
    assert int(back.effectors.kind[0, 0]) == 0
    assert list(back.errors) == sorted(back.errors, reverse=True)
    again = solve(back.effectors, run, betas=back.truth.betas[0].tolist())
    joints = [one.joints(back.body)[0] for one in (again.pose, back.truth)]
    assert (joints[0] - joints[1]).norm(dim=-1).mean() == pytest.approx(back.errors[-1], abs=5e-3)
    assert back.picture().shape[0] == 3
    with pytest.raises(ConfigError, match="has 1 frames"):
        recover(tmp_path / "pose.npz", run, frame=1)


def test_a_motion_goes_to_the_body_and_to_a_skeleton_of_other_size(tmp_path):
    body = Body.embedded()
    poses = posed(torch.stack([key_poses()[name] for name in ("stand", "wave", "sit")]))
    motion = BodyMotion(poses, torch.zeros(3, 3) + 0.9, torch.zeros(10), fps=30.0)
    write_motion(motion.motion(body), tmp_path / "motion.bvh")
    moved = retarget(tmp_path / "motion.bvh", "body")
    torch.testing.assert_close(moved.motion.rot, motion.pose, atol=1e-4, rtol=0)
    moved.write(tmp_path / "out.glb")
    (written,) = read_glb(tmp_path / "out.glb").motions.values()
    torch.testing.assert_close(written.rot, motion.pose, atol=1e-4, rtol=0)
    assert moved.picture().shape[0] == 3
    again = read_body_motion(tmp_path / "out.glb", body)
    torch.testing.assert_close(again.pose, motion.pose, atol=1e-4, rtol=0)
    own = write_motion(motion.motion(body)[:1], tmp_path / "own.bvh")
    assert retarget(tmp_path / "motion.bvh", own).motion.skeleton.names == read_motion(own, body).skeleton.names
    with pytest.raises(DataError, match="bare skeleton"):
        retarget(tmp_path / "motion.bvh", own).write(tmp_path / "bones.glb")
    with pytest.raises(DataError, match="names end in"):
        retarget(tmp_path / "motion.txt", "body")


def test_the_shape_of_a_skeleton_twice_as_large(tmp_path):
    body = Body.embedded()
    skeleton = body.skeleton(torch.tensor([1.0, 0, 0, -1.0, 0, 0, 0, 0, 0, 0]))
    large = Skeleton.at_rest(skeleton.names, skeleton.parents, 2 * skeleton.positions)
    still = torch.eye(3).expand(1, 24, 3, 3)
    write_motion(Motion(large, still, large.positions[:1]), tmp_path / "large.bvh")
    found = shape(tmp_path / "large.bvh")
    assert found.inversion.scale == pytest.approx(2.0, rel=0.15)
    assert found.inversion.error / found.inversion.scale < 0.012
    assert found.picture().shape[0] == 3


def test_an_estimators_file_and_marked_points_give_poses(run, tmp_path, monkeypatch):
    thetas = np.zeros((2, 72), np.float32)
    thetas[:, 0] = np.pi  # a camera has Y down
    np.savez(tmp_path / "e.npz", smpl_thetas=thetas, cam_trans=np.array([[0, 0, 4.0], [1, 0, 4.0]]))
    found = estimate(tmp_path / "e.npz", run, person=1)
    assert found.people == 2
    torch.testing.assert_close(found.estimates[0].rotations[0], torch.eye(3), atol=1e-5, rtol=0)
    points = {
        f"{side}_{part}": [200 + (30 if side == "left" else -30), 100 + 40 * k]
        for k, part in enumerate(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
        for side in ("left", "right")
    }
    (tmp_path / "points.json").write_text(json.dumps({"points": points}))

    def quick(*parts):
        return estimation.keypoint_fit.KeypointFit(*parts, iterations=(2, 2, 2))

    monkeypatch.setattr(estimation, "KeypointFit", quick)
    found = estimate(tmp_path / "points.json", run, size=(480, 400))
    assert found.people == 1
    assert float(found.estimates[0].pelvis[2]) < 0
    assert found.picture().shape[0] == 3
    with pytest.raises(ConfigError, match="need the size of their picture"):
        estimate(tmp_path / "points.json", run)
    with pytest.raises(ConfigError, match="holds 1 people"):
        estimate(tmp_path / "points.json", run, size=(480, 400), person=1)


def test_a_run_is_measured_beside_its_refinement_and_optimisation_alone(run):
    rows = evaluate(run, poses=4, draws=1, refine=3)
    assert list(rows) == ["network", "network, 3 steps", "no network, 50 steps", "rest pose"]
    assert rows["network, 3 steps"].position < rows["network"].position
    assert rows["no network, 50 steps"].position < rows["rest pose"].position


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON"),
        ('{"poses": []}', "holds no list of effectors"),
        ("[]", "holds no list of effectors"),
        ('{"effectors": [], "pose": "standing"}', "a pose has rotations and a pelvis"),
        ('{"effectors": [], "scale": 0}', "scale is 0; it must be a positive number"),
        ('[{"type": "position", "joint": "head", "position": [0, 1, 0], "floor": 1}]', "it must be true or false"),
        ('[{"type": "rotation", "joint": "head", "euler": [0, 0, 0], "floor": true}]', "a rotation has no 'floor'"),
        ('[{"type": "position", "joint": "left_wirst", "position": [0, 1, 0]}]', "left_wrist"),
        ('[{"type": "rotation", "joint": "head", "euler": [0, 0, 0]}]', "no position"),
        ('{"effectors": [], "betas": "tall"}', "betas must be a list"),
        (json.dumps([*WISHES, WISHES[0]]), "Effectors 0 and 4"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(run, tmp_path, content, message):
    (tmp_path / "w.json").write_text(content)
    with pytest.raises((ConfigError, DataError), match=message):
        solve(tmp_path / "w.json", run)


def test_only_a_run_that_poses_bodies_will_do(tmp_path):
    other = tiny_run(tmp_path / "run", steps=1).path
    with pytest.raises(RunError, match="poses no bodies"):
        solve(WISHES, other)
    with pytest.raises(ConfigError, match="ten numbers at most"):
        solve(WISHES, betas=[0.0] * 11)
