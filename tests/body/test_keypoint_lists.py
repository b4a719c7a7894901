"""Points in the forms that people and programs write them, and those that show nothing."""

import pytest
import torch

from unveil.body import Pose, angles_to_pose, key_poses
from unveil.body.estimation import COCO_17, Camera, KeypointFit, Keypoints, keypoints_of
from unveil.body.estimation.keypoint_fit import _Fit
from unveil.core.errors import ConfigError

ROWS = [[10.0 * n, 300.0 - 7 * n, 2] for n in range(17)]
FLAT = [number for row in ROWS for number in row]


def test_cocos_annotations_are_people():
    whole = {"images": [{"id": 1}], "annotations": [{"keypoints": FLAT, "bbox": [0, 0, 9, 9]}, {"keypoints": [0] * 51}]}
    (found,) = keypoints_of(whole)
    assert found.names == COCO_17
    torch.testing.assert_close(found.points, torch.tensor(ROWS)[:, :2])


@pytest.mark.parametrize("width", [2, 3])
def test_rows_of_points_are_one_person(width):
    rows = [[*row[:2], 0.5][:width] for row in ROWS]
    (found,) = keypoints_of(rows)
    torch.testing.assert_close(found.points, torch.tensor(ROWS)[:, :2])
    assert len(keypoints_of([rows, rows])) == 2
    assert len(keypoints_of([FLAT, FLAT])) == 2


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"nose": [0, 1, -4.0]}, 'confidence -4.0; .* add "dimensions": 3'),
        ({name: [n * 1e20, 1] for n, name in enumerate(COCO_17)}, "farther than 1000000"),
        ({name: [5, 5] for name in COCO_17}, "at one place"),
        ({"nose": [10**400, 1]}, "needs 2 numbers"),
    ],
)
def test_points_that_show_no_pose_are_refused(points, message):
    with pytest.raises(ConfigError, match=message):
        keypoints_of({"points": points})


def test_points_in_other_units_are_refused(body):
    names, points = tuple(COCO_17[5:]), torch.rand(12, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ConfigError, match="give metres"):
        Keypoints(names, 1000 * points, torch.ones(12))
    shares = Keypoints(names, points[:, :2], torch.ones(12))
    with pytest.raises(ConfigError, match="shares of the picture"):
        KeypointFit(body)(shares, Camera.of_picture(600, 480))
    with pytest.raises(ConfigError, match="finite"):
        Keypoints(names, points, torch.full((12,), float("inf")))
    with pytest.raises(ConfigError, match="centre is"):
        Camera(500.0, (float("nan"), 0.0))


def test_landmarks_of_a_picture_that_the_person_leaves_are_no_places_in_space():
    marks = [{"x": 0.5 + 0.01 * n, "y": 0.2 + 0.035 * n, "z": -0.1} for n in range(33)]
    with pytest.raises(ConfigError, match="shares of the picture"):
        keypoints_of({"pose_landmarks": marks})
    hips = marks[23]["x"] + 0.005, marks[23]["y"] + 0.0175
    world = [{"x": mark["x"] - hips[0], "y": mark["y"] - hips[1], "z": 0.0} for mark in marks]
    assert not keypoints_of({"landmarks": world})[0].flat


@pytest.mark.parametrize("row", [{"x": None, "y": 1}, {"x": 1}, 3, {"x": 1, "y": 2, "visibility": "high"}])
def test_landmarks_that_are_no_numbers_are_refused(row):
    good = [{"x": 10.0 * n, "y": 5.0 * n} for n in range(33)]
    assert len(keypoints_of({"landmarks": good})) == 1
    with pytest.raises(ConfigError, match="landmarks"):
        keypoints_of({"landmarks": [*good[:-1], row]})


def test_the_same_pose_farther_away_is_no_other_pose(body):
    stand, wave = (angles_to_pose(key_poses()[name])[None] for name in ("stand", "wave"))

    def fit(rotations, depth):
        return _Fit(Pose(rotations, torch.tensor([[0, 0, depth]]), torch.zeros(1, 10), torch.tensor([2])), 0.0)

    found = [fit(stand, -20.0), fit(stand, -21.0), fit(wave, -20.0)]
    assert KeypointFit(body)._distinct(found) == [found[0], found[2]]
