"""AMASS's files: the pelvis is where it was, whichever way is up."""

import io
import zipfile

import numpy as np
import pytest
import torch

from unveil.body import BodyMotion, random_motion, random_poses, read_amass, write_amass
from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.geometry import axis_angle_to_matrix, matrix_to_axis_angle


def close(a, b, atol):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


def fields(frames=4, width=156, seed=0):
    random = np.random.default_rng(seed)
    return {
        "poses": random.normal(size=(frames, width)) * 0.5,
        "betas": random.normal(size=16),
        "trans": random.normal(size=(frames, 3)),
        "gender": np.array("female"),
        "mocap_framerate": np.array(120.0),
        "dmpls": random.normal(size=(frames, 8)),
    }


def saved(path, **changes):
    written = {name: value for name, value in (fields() | changes).items() if value is not None}
    np.savez(path, **written)
    return path


def test_the_whole_body_is_turned_so_that_y_is_up(tmp_path, body):
    """Posed in the file's own axes and then turned, vertex by vertex, it is the body that was read."""
    path = saved(tmp_path / "clip.npz")
    motion = read_amass(path, body)
    data = fields()
    vectors = torch.zeros(4, 24, 3)
    vectors[:, :22] = torch.from_numpy(data["poses"][:, :66]).float().unflatten(1, (22, 3))
    shape, trans = torch.from_numpy(data["betas"][:10]).float(), torch.from_numpy(data["trans"]).float()
    theirs = body(axis_angle_to_matrix(vectors), shape, "female", trans=trans).vertices
    x, y, z = theirs.unbind(-1)
    close(motion.posed(body).vertices, torch.stack([x, z, -y], -1), 1e-5)  # heights become y
    assert motion.fps == 120
    assert motion.gender == "female"


@pytest.mark.parametrize("up", ["y", "z"])
def test_what_is_written_comes_back(up, tmp_path, body):
    drawn = random_motion(body, 12, gender="male", generator=torch.Generator().manual_seed(0))
    again = read_amass(write_amass(drawn, tmp_path / "clip.npz", body, up=up), body)
    close(again.pose, drawn.pose, 5e-6)  # hands too
    close(again.pelvis, drawn.pelvis, 1e-6)
    close(again.shape, drawn.shape, 0)
    assert (again.gender, again.fps) == ("male", 30)
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as file:
        assert file["poses"].shape == (12, 156)
        assert file["betas"].shape == (16,)
        pelvis = torch.from_numpy(file["trans"]) + body.rest_joints(drawn.shape, "male")[0]
    close(pelvis[:, 2 if up == "z" else 1], drawn.pelvis[:, 1], 1e-5)
    with pytest.raises(ConfigError, match="up is 'x'"):
        write_amass(drawn, tmp_path / "x.npz", body, up="x")


@pytest.mark.parametrize("width", [66, 72, 156, 165])
def test_files_of_the_whole_family_are_read(width, tmp_path, body):
    data = fields(width=width)
    motion = read_amass(saved(tmp_path / "clip.npz", **data), body)
    close(
        matrix_to_axis_angle(motion.pose[:, 1:22]),
        torch.from_numpy(data["poses"][:, 3:66]).float().unflatten(1, (21, 3)),
        2e-5,
    )
    straight = bool((motion.pose[:, 22:] == torch.eye(3)).all())
    assert straight == (width != 72)


def test_names_and_types_that_files_differ_in(tmp_path, body):
    path = saved(
        tmp_path / "c.npz", mocap_framerate=None, mocap_frame_rate=np.array(60.0), gender=np.array(b"male"), trans=None
    )
    motion = read_amass(path, body)
    assert (motion.fps, motion.gender) == (60, "male")
    with pytest.warns(UserWarning, match="shape has 4 numbers"):
        read_amass(saved(tmp_path / "short.npz", betas=np.ones(4)), body)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": None, "gender": None}, "it has no poses, gender"),
        ({"poses": np.zeros((4, 100))}, r"its poses have the shape \(4, 100\)"),
        ({"poses": np.full((4, 156), np.nan)}, "frame 0 of its poses is not finite"),
        ({"trans": np.zeros((3, 3))}, "trans does not fit"),
        ({"gender": np.array("unknown")}, "male, female or neutral"),
        ({"betas": np.full(16, np.inf)}, "betas are not finite"),
        ({"poses": np.array([object()])}, "is no AMASS file"),
        ({"poses": np.array([["a"] * 156] * 4)}, "poses are no numbers"),
        ({"poses": np.full((4, 156), 1e300)}, "frame 0 of its poses is not finite"),
        ({"betas": np.array(["a"] * 10)}, "betas are no numbers"),
        ({"betas": np.zeros((0, 10))}, "is no AMASS file"),
        ({"hand_poses": np.zeros((4, 5))}, "is no AMASS file"),
        ({"mocap_framerate": np.zeros(3)}, "is no AMASS file"),
    ],
)
def test_what_is_no_motion_is_refused(changes, message, tmp_path, body):
    with pytest.raises(DataError, match=rf"clip.npz.*{message}"):
        read_amass(saved(tmp_path / "clip.npz", **changes), body)


def test_more_than_memory_is_made_for_is_refused(tmp_path, body, monkeypatch):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 72)})
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("poses.npy", header.getvalue())
    with pytest.raises(DataError, match=r"huge\.npz"):
        read_amass(tmp_path / "huge.npz", body)
    monkeypatch.setattr("unveil.body.array_files._LARGEST", 1000)
    with pytest.raises(DataError, match="two gigabytes"):
        read_amass(saved(tmp_path / "clip.npz"), body)


def test_missing_and_damaged_files_are_refused(tmp_path, body):
    with pytest.raises(DataError, match="cannot be read"):
        read_amass(tmp_path / "absent.npz", body)
    data = saved(tmp_path / "clip.npz").read_bytes()
    for cut in (b"", b"text", data[:200], data[:-100]):
        (tmp_path / "clip.npz").write_bytes(cut)
        with pytest.raises(DataError, match="is no AMASS file"):
            read_amass(tmp_path / "clip.npz", body)


def test_motions_of_a_body_are_checked_and_keep_their_speed(body):
    pose = random_poses(9, torch.Generator().manual_seed(0))
    motion = BodyMotion(pose, torch.randn(9, 3), torch.zeros(10), fps=8)
    half = motion[::2]
    assert (len(half), half.fps) == (5, 4)
    close(motion.resampled(4).pose, half.pose, 2e-6)
    close(motion.resampled(4).pelvis, half.pelvis, 1e-6)
    close(motion.motion(body).world()[1], motion.posed(body).joints, 1e-6)
    with pytest.raises(ShapeError, match=r"needs \(T, 24, 3, 3\)"):
        BodyMotion(pose[:, :22], torch.zeros(9, 3), torch.zeros(10))
    with pytest.raises(ConfigError, match="no rotation at"):
        BodyMotion(2 * pose, torch.zeros(9, 3), torch.zeros(10))
    with pytest.raises(ConfigError, match="gender is 'x'"):
        BodyMotion(pose, torch.zeros(9, 3), torch.zeros(10), gender="x")
