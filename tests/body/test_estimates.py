"""Files of public estimators, and of detectors of points."""

import json
import pickle

import numpy as np
import pytest
import torch

from unveil.body import random_poses
from unveil.body.estimation import (
    BODY_25,
    COCO_17,
    MEDIAPIPE_33,
    Keypoints,
    NoPosesError,
    PoseEstimate,
    keypoints_of,
    read_estimates,
    read_keypoints,
    read_people,
)
from unveil.core.errors import ConfigError, DataError
from unveil.geometry import matrix_to_axis_angle

FLIP = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


@pytest.fixture
def people():
    pose = random_poses(2, torch.Generator().manual_seed(0))
    return pose, torch.randn(2, 10), torch.tensor([[0.1, 0.2, 4.0], [-1.0, 0.0, 6.0]])


def seen_by_a_camera(people):
    """The same people in a camera's axes: right, down, away."""
    pose, betas, trans = people
    rot = torch.cat([FLIP @ pose[:, :1], pose[:, 1:]], 1)
    return matrix_to_axis_angle(rot).flatten(1).numpy(), betas.numpy(), trans.numpy()


def check(found, people, body):
    pose, betas, trans = people
    assert len(found) == len(pose)
    for number, one in enumerate(found):
        torch.testing.assert_close(one.rotations, pose[number], atol=2e-5, rtol=0)
        rest = body.rest_joints(betas[number])[0]
        torch.testing.assert_close(one.pelvis, FLIP @ (rest + trans[number]), atol=1e-5, rtol=0)
        one.pose.checked()


def test_results_of_an_estimator_are_read_without_running_them(tmp_path, people, body):
    thetas, betas, trans = seen_by_a_camera(people)
    results = {"smpl_thetas": thetas, "smpl_betas": np.pad(betas, ((0, 0), (0, 1))), "cam_trans": trans}
    np.savez(tmp_path / "romp.npz", results=np.array(results, dtype=object))
    check(read_estimates(tmp_path / "romp.npz", body), people, body)


def test_named_arrays_pickles_and_json_say_the_same(tmp_path, people, body):
    thetas, betas, trans = seen_by_a_camera(people)
    np.savez(tmp_path / "a.npz", poses=thetas.reshape(2, 24, 3), betas=betas, trans=trans)
    check(read_estimates(tmp_path / "a.npz", body), people, body)
    split = [
        {"global_orient": t[:3], "body_pose": t[3:], "betas": b, "transl": c}
        for t, b, c in zip(thetas, betas, trans, strict=True)
    ]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"000.jpg": split[0], "001.jpg": split[1]}))
    check(read_estimates(tmp_path / "a.pkl", body), people, body)
    plain = [{name: value.tolist() for name, value in person.items()} for person in split]
    (tmp_path / "a.json").write_text(json.dumps(plain))
    check(read_estimates(tmp_path / "a.json", body), people, body)


def test_matrices_and_our_own_axes(tmp_path, people, body):
    pose, betas, trans = people
    np.savez(tmp_path / "a.npz", pose=pose.numpy(), betas=betas.numpy(), trans=trans.numpy(), gender="female")
    found = read_estimates(tmp_path / "a.npz", body, world=True)
    assert found[0].gender == "female"
    torch.testing.assert_close(found[1].rotations, pose[1])
    torch.testing.assert_close(found[1].pelvis, body.rest_joints(betas[1], "female")[0] + trans[1])


class Evil:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Evil()), "no array needs"),
        (b"PK but no archive", "damaged archive"),
        (pickle.dumps({"betas": np.zeros(10)}), "holds no poses"),
        (pickle.dumps({"poses": np.zeros((2, 50))}), "has the shape"),
        (pickle.dumps({"poses": np.full((1, 72), np.nan)}), "not all finite"),
        (pickle.dumps({"poses": np.zeros((1, 72)), "betas": np.zeros(4)}), "have 4 numbers"),
        (pickle.dumps({"poses": np.zeros((2, 72)), "betas": np.zeros((3, 10))}), "2 poses and 3 betas"),
    ],
)
def test_what_is_no_estimate_is_refused(tmp_path, body, content, message, capsys):
    (tmp_path / "x.pkl").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_estimates(tmp_path / "x.pkl", body)
    assert "run" not in capsys.readouterr().out
    with pytest.raises(DataError, match="cannot be read"):
        read_estimates(tmp_path / "absent.pkl", body)


def rows(order, width=3):
    return [[10.0 * i, 5.0 * i, 0.9][:width] for i in range(len(order))]


@pytest.mark.parametrize("order", [COCO_17, BODY_25, MEDIAPIPE_33])
def test_lists_of_detectors_are_told_by_their_length(order):
    flat = [number for row in rows(order) for number in row]
    for value in ({"people": [{"pose_keypoints_2d": flat}]}, [{"keypoints": flat}], {"keypoints": rows(order)}):
        (found,) = keypoints_of(value)
        assert found.names == order
        torch.testing.assert_close(found.points[3], torch.tensor([30.0, 15.0]))
        assert found.flat


def test_what_was_not_seen_is_left_out_and_a_persons_empty_list_passed_over():
    flat = [number for row in rows(COCO_17) for number in row]
    flat[6:9] = [0.0, 0.0, 0.0]
    found = keypoints_of({"people": [{"pose_keypoints_2d": flat}, {"pose_keypoints_2d": [0.0] * 51}]})
    assert len(found) == 1
    assert COCO_17[2] not in found[0].names
    flags = keypoints_of([{"keypoints": [n if i % 3 < 2 else 2 - (i < 6) for i, n in enumerate(flat)]}])[0]
    torch.testing.assert_close(flags.confidence[:3], torch.tensor([0.5, 0.5, 1.0]))


def test_landmarks_of_the_world_are_turned_so_that_y_is_up():
    marks = [{"x": 0.01 * i - 0.2, "y": 0.02 * i, "z": 0.5, "visibility": 0.8} for i in range(33)]
    (found,) = keypoints_of({"pose_world_landmarks": marks})
    torch.testing.assert_close(found.points[1], torch.tensor([-0.19, -0.02, -0.5]))
    assert not found.flat
    shares = [{"x": 0.01 * i, "y": 0.02 * i, "z": 0.5} for i in range(33)]
    with pytest.raises(ConfigError, match="shares of the picture"):
        keypoints_of({"pose_landmarks": shares})


def test_points_by_name_come_from_a_file(tmp_path):
    named = {"left_hip": [1, 2], "right_hip": [3, 4, 0.5], "neck": [5, 6], "nose": [7, 8]}
    (tmp_path / "p.json").write_text(json.dumps({"points": named}))
    (found,) = read_keypoints(tmp_path / "p.json")
    assert found.names == tuple(named)
    torch.testing.assert_close(found.confidence, torch.tensor([1.0, 0.5, 1.0, 1.0]))
    for content, message in (
        ("{", "no JSON"),
        (
            '{"points": {"left_hop": [1, 2], "nose": [1, 2], "neck": [1, 2], "left_hip": [1, 2]}}',
            "did you mean left_hip",
        ),
        ('{"points": {"left_hip": [1]}}', "needs 2 numbers"),
        ('{"points": {"left_hip": [1, 2], "nose": [1, 2]}}', "Only 2 points"),
        ('{"points": {}, "dimensions": 4}', "must be 2 or 3"),
        ('{"keypoints": [1, 2, 3, 4]}', "known orders"),
        ('{"people": []}', "no person"),
    ):
        (tmp_path / "p.json").write_text(content)
        with pytest.raises(DataError, match=message):
            read_keypoints(tmp_path / "p.json")


def test_a_file_of_people_holds_poses_or_points(body, people, tmp_path):
    pose, betas, trans = people
    found = {"pose": pose.tolist(), "betas": betas.tolist(), "trans": trans.tolist()}
    (tmp_path / "poses.json").write_text(json.dumps(found))
    read = read_people(tmp_path / "poses.json", body)
    assert [type(one) for one in read] == [PoseEstimate, PoseEstimate]
    torch.testing.assert_close(read[1].betas, betas[1])
    named = {"left_hip": [1, 2], "right_hip": [3, 4], "neck": [5, 6], "nose": [7, 8]}
    (tmp_path / "points.json").write_text(json.dumps({"points": named}))
    with pytest.raises(NoPosesError, match="holds no poses; they are looked for under smpl_thetas"):
        read_estimates(tmp_path / "points.json", body)
    (points,) = read_people(tmp_path / "points.json", body)
    assert points.names == tuple(named)
    (tmp_path / "neither.json").write_text('{"nothing": 1}')
    with pytest.raises(DataError, match=r"no points that can be used: no person's points are in it") as refused:
        read_people(tmp_path / "neither.json", body)
    assert "Nor does it hold" not in str(refused.value)
    (tmp_path / "bent.json").write_text('{"poses": [[1, 2]]}')
    with pytest.raises(DataError, match=r"Nor does it hold estimates: .* a pose has the shape"):
        read_people(tmp_path / "bent.json", body)
    np.savez(tmp_path / "neither.npz", nothing=np.zeros(3))
    with pytest.raises(NoPosesError, match="holds no poses"):
        read_people(tmp_path / "neither.npz", body)


def test_points_must_be_points():
    with pytest.raises(ConfigError, match="there twice"):
        Keypoints(("nose",) * 4, torch.rand(4, 2), torch.ones(4))
    with pytest.raises(ConfigError, match="finite"):
        Keypoints(COCO_17, torch.full((17, 2), torch.nan), torch.ones(17))
    with pytest.raises(ConfigError, match="need"):
        Keypoints(COCO_17, torch.rand(16, 2), torch.ones(17))
