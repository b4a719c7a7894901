"""Estimators' files whose parts come one by one: those that fit one another, and those that do not."""

import numpy as np
import pytest
import torch

from unveil.body import random_poses
from unveil.body.estimation import read_estimates
from unveil.core.errors import DataError


def test_a_root_that_is_one_matrix_is_no_three_vectors(tmp_path, body):
    pose = random_poses(1, torch.Generator().manual_seed(1))[0].numpy()
    np.savez(tmp_path / "e.npz", body_pose=pose[1:], global_orient=pose[0])
    (found,) = read_estimates(tmp_path / "e.npz", body, world=True)
    torch.testing.assert_close(found.rotations, torch.from_numpy(pose), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"body_pose": np.zeros((2, 69)), "global_orient": np.zeros((3, 3))}, "2 poses and 3 turns"),
        ({"poses": np.zeros((2, 72)), "scores": np.zeros(5)}, "2 poses and 5 scores"),
        ({"poses": np.zeros((2, 72)), "trans": np.zeros((2, 2))}, "places have 2 numbers"),
        ({"poses": np.zeros((2, 72)), "trans": np.zeros((2, 1))}, "places have 1 numbers"),
        ({"poses": np.zeros((2, 72)), "gender": np.array(["male", "female"])}, "2 genders"),
        ({"poses": np.zeros((2, 72)), "betas": np.zeros((3, 10))}, "2 poses and 3 betas"),
    ],
)
def test_parts_of_other_numbers_of_people_are_refused(tmp_path, body, parts, message):
    np.savez(tmp_path / "e.npz", **parts)
    with pytest.raises(DataError, match=message):
        read_estimates(tmp_path / "e.npz", body)


def test_what_is_left_out_of_a_shape_is_told(tmp_path, body):
    betas = np.zeros((1, 11))
    betas[0, 10] = 0.7
    np.savez(tmp_path / "e.npz", smpl_thetas=np.zeros((1, 72)), smpl_betas=betas)
    with pytest.warns(UserWarning, match="those after ten"):
        read_estimates(tmp_path / "e.npz", body)
