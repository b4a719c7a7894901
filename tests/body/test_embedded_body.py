"""The body that comes with the library: a closed surface, alike on both sides, for every shape."""

import numpy as np
import pytest
import torch

from unveil.body import GENDERS, JOINTS, MIRROR, PARENTS, Body
from unveil.body.embedded.build import build
from unveil.body.embedded.capsules import rest_joints
from unveil.body.embedded.kept import embedded_arrays
from unveil.body.embedded.surface_nets import sample_grid, surface_nets


def volume(vertices, faces):
    a, b, c = (vertices[..., faces[:, i], :].double() for i in range(3))
    return (a * torch.linalg.cross(b, c)).sum((-1, -2)) / 6


def edges(faces):
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    return np.unique(pairs, axis=0, return_counts=True)


def test_the_surface_is_closed_and_of_one_piece(body):
    faces = body.faces.numpy()
    lines, counts = edges(faces)
    assert (counts == 2).all()
    assert body.template.shape[1] - len(lines) + len(faces) == 2  # Euler's number of a ball


def test_every_shape_has_an_inside_and_no_collapsed_bone(body):
    shapes = 10 * torch.rand(200, 10, generator=torch.Generator().manual_seed(0)) - 5
    assert (volume(body.rest_vertices(shapes), body.faces) > 0.015).all()
    above = list(PARENTS[1:])

    def lengths(joints):
        return (joints[..., 1:, :] - joints[..., above, :]).norm(dim=-1)

    assert (lengths(body.rest_joints(shapes)) > 0.5 * lengths(body.rest_joints())).all()


def test_genders_are_of_human_size(body):
    heights = body.template[:, :, 1].amax(1) - body.template[:, :, 1].amin(1)
    for gender, height, least, most in zip(GENDERS, heights, (1.72, 1.58, 1.68), (1.84, 1.68, 1.74), strict=True):
        assert least < height < most, gender
    volumes = volume(body.template, body.faces)
    assert volumes[1] < volumes[2] < volumes[0]
    assert 0.070 < volumes[2] < 0.080  # cubic metres


def test_rows_sum_to_one_and_are_not_negative(body):
    for rows in (body.weights, body.regressor):
        torch.testing.assert_close(rows.sum(-1), torch.ones(rows.shape[:-1]), rtol=0, atol=1e-5)
        assert (rows >= 0).all()
    assert ((body.weights > 0).sum(-1) <= 4).all()


def test_joints_are_where_they_were_measured_and_alike_on_both_sides(body):
    joints = body.rest_joints()
    torch.testing.assert_close(joints.double(), torch.from_numpy(rest_joints()), rtol=0, atol=1e-4)
    mirrored = joints[list(MIRROR)] * torch.tensor([-1.0, 1, 1])
    torch.testing.assert_close(joints, mirrored, rtol=0, atol=1e-4)


def test_the_axes_are_as_promised(body):
    joints = dict(zip(JOINTS, body.rest_joints(), strict=True))
    assert joints["head"][1] > joints["pelvis"][1] > joints["left_ankle"][1]  # Y up
    assert joints["left_wrist"][0] > 0 > joints["right_wrist"][0]  # its left is +X
    assert joints["left_foot"][2] > joints["left_ankle"][2]  # it faces +Z
    arm = joints["left_wrist"] - joints["left_shoulder"]
    assert abs(arm[0]) > 0.999 * arm.norm()  # a T-pose


@pytest.mark.parametrize(("number", "bone"), [(2, "left_knee"), (3, "left_elbow"), (4, "spine2"), (7, "head")])
def test_numbers_of_the_shape_lengthen_their_bones(body, number, bone):
    shape = torch.zeros(10)
    shape[number] = 3
    j = JOINTS.index(bone)

    def length(joints):
        return (joints[j] - joints[PARENTS[j]]).norm()

    assert length(body.rest_joints(shape)) > 1.03 * length(body.rest_joints())


def test_making_it_again_gives_the_same_body_and_a_damaged_cache_is_mended(tmp_path, monkeypatch, body):
    made = build()
    again = build()
    assert all((made[name] == again[name]).all() for name in made)
    monkeypatch.setenv("UNVEIL_CACHE", str(tmp_path))
    monkeypatch.setattr("unveil.body.embedded.build.build", lambda: made)
    first = embedded_arrays()
    (kept,) = (tmp_path / "body").glob("*.npz")
    assert Body(embedded_arrays()).fingerprint == Body(first).fingerprint == body.fingerprint
    kept.write_bytes(kept.read_bytes()[:1000])
    assert Body(embedded_arrays()).fingerprint == body.fingerprint
    assert kept.stat().st_size > 100_000


def test_surface_nets_of_a_ball_are_a_ball():
    low, step = np.array([-1.2, -1.2, -1.2]), 0.1

    def distance(points):
        return np.linalg.norm(points, axis=1) - 1

    values = sample_grid(distance, low, (25, 25, 25), step)
    vertices, faces = surface_nets(values, low, step)
    lines, counts = edges(faces)
    assert (counts == 2).all()
    assert len(vertices) - len(lines) + len(faces) == 2
    assert np.abs(np.linalg.norm(vertices, axis=1) - 1).max() < 0.02
    assert float(volume(torch.from_numpy(vertices), faces)) == pytest.approx(4 / 3 * np.pi, rel=0.02)
