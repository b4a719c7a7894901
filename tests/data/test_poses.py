import shutil

import numpy as np
import pytest
import torch

from unveil.body import Body, random_motion, write_amass
from unveil.core.errors import DataError
from unveil.core.random import Streams
from unveil.data.poses import open_poses
from unveil.geometry import geodesic_distance


@pytest.fixture(scope="module")
def body():
    return Body.embedded()


@pytest.fixture(scope="module")
def motions(body, tmp_path_factory):
    """A folder as AMASS lays it out, Set/Subject/motion_poses.npz, and the motions by subject."""
    root, made = tmp_path_factory.mktemp("amass"), {}
    for seed, subject in enumerate(("A/01", "A/02", "B/01")):
        motion = random_motion(body, 24, fps=60.0, generator=Streams(seed, 1))
        (root / subject).mkdir(parents=True)
        write_amass(motion, root / subject / "walk_poses.npz", body, up="z")
        made[subject] = motion
    return root, made


def test_frames_are_taken_thirty_a_second(motions, body):
    root, made = motions
    data = open_poses(root / "A" / "01" / "walk_poses.npz", body, split="all")
    motion = made["A/01"]
    assert len(data) == 12
    pose, known = data.batch(range(12))
    assert geodesic_distance(pose, motion.pose[::2]).max() < 2e-3  # hands lie straight in these files, and here too
    torch.testing.assert_close(known["shape"], motion.shape.expand(12, -1), atol=1e-6, rtol=0)
    assert set(known["gender"].tolist()) == {("male", "female", "neutral").index(motion.gender)}
    assert len(open_poses(root, body, split="all", fps=20)) == 3 * 8
    assert len(open_poses(root, body, split="all", fps=25)) == 3 * 10  # between frames


def test_subjects_and_folders_are_held_out(motions, body):
    root, _ = motions
    names = {
        split: {name for name, _ in open_poses(root, body, split=split, held_out=("B",)).clips}
        for split in ("train", "test", "all")
    }
    assert names["test"] == {"B/01/walk_poses.npz"}
    assert names["train"] == {"A/01/walk_poses.npz", "A/02/walk_poses.npz"}
    assert names["all"] == names["train"] | names["test"]
    left = open_poses(root, body, held_out=("B",), validation=("A/02",)).clips
    assert [name for name, _ in left] == ["A/01/walk_poses.npz"]


def test_whole_subjects_are_held_out_where_nobody_says_which(motions, body):
    root, _ = motions
    train, test = (dict(open_poses(root, body, split=split).clips) for split in ("train", "test"))
    assert len(train) == 2
    assert len(test) == 1
    assert not set(train) & set(test)


def test_the_subject_is_what_a_name_begins_with_where_there_are_no_folders(motions, body, tmp_path):
    root, _ = motions
    for name in ("02_01", "02_02", "05_01"):
        shutil.copy(root / "A" / "01" / "walk_poses.npz", tmp_path / f"{name}.npz")
    test = dict(open_poses(tmp_path, body, split="test", held_out=("02",)).clips)
    assert set(test) == {"02_01.npz", "02_02.npz"}


def test_of_one_subject_the_end_of_each_motion_is_held_out(motions, body):
    root, made = motions
    file = root / "A" / "02" / "walk_poses.npz"
    train, test = (open_poses(file, body, split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (10, 2)
    assert geodesic_distance(test.batch([0])[0], made["A/02"].pose[20:21]).max() < 2e-3


def test_a_limit_takes_poses_from_all_over(motions, body):
    root, _ = motions
    whole, some = open_poses(root, body, split="all"), open_poses(root, body, split="all", limit=6)
    assert torch.equal(some.batch(range(6))[0], whole.batch(range(0, 36, 6))[0])
    assert whole.fingerprint != some.fingerprint


def test_what_cannot_be_read_is_told_and_left_out(motions, body, tmp_path):
    shutil.copytree(motions[0], tmp_path / "all")
    np.savez(tmp_path / "all" / "A" / "01" / "shape.npz", betas=np.zeros(16), gender=np.array("male"))
    data = open_poses(tmp_path / "all", body, split="all")
    assert len(data.clips) == 3
    ((name, why),) = data.skipped
    assert name == "A/01/shape.npz"
    assert "no poses" in why
    with pytest.raises(DataError, match="None of the motions"):
        open_poses(tmp_path / "all" / "A" / "01" / "shape.npz", body)


def test_what_holds_no_motions_is_refused(motions, body, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    np.save(tmp_path / "numbers.npy", np.zeros(3))
    with pytest.raises(DataError, match="holds no motions"):
        open_poses(tmp_path, body)
    with pytest.raises(DataError, match="holds no motions"):
        open_poses("digits", body)
    with pytest.raises(DataError, match="no motions of 'C'"):
        open_poses(motions[0], body, held_out=("C",))
    with pytest.raises(DataError, match="nothing is left to train"):
        open_poses(motions[0], body, held_out=("A", "B"))
    with pytest.raises(IndexError, match="leave 0"):
        open_poses(motions[0], body).batch([10**6])


@pytest.mark.parametrize("clip", ["02_01.bvh", "05_02.bvh"])
def test_motions_of_other_skeletons_are_retargeted(real_data, body, clip, tmp_path):
    shutil.copy(real_data("cmu-mocap") / clip, tmp_path / clip)
    data = open_poses(tmp_path, body, split="all")
    pose, known = data.batch(range(len(data)))
    assert len(data) > 50
    assert not known["shape"].any()
    _, joints = body.place(pose, known["shape"], known["gender"])
    height = joints[:, 15, 1] - joints[:, [7, 8], 1].amin(1)  # upright, as people walk
    assert height.median() > 1.2
    assert (joints[:, 16, 0] - joints[:, 17, 0]).abs().max() < 0.5  # shoulders are as far apart as they are
    turned = geodesic_distance(pose[1:, 1:], pose[:-1, 1:])
    assert turned.max() < 1.5  # nothing jumps within a thirtieth of a second
