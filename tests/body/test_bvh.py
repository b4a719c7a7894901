"""BVH in and out: what is written comes back, any order of channels is understood, and damage is told with its line."""

import csv
import gzip

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from unveil.body import BvhError, find_joints, random_motion, read_bvh, write_bvh
from unveil.core.errors import ConfigError, DataError
from unveil.geometry import geodesic_distance

TWO = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Arm
  {
    OFFSET 0 1 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 0 0.5 0
    }
  }
}
MOTION
Frames: 2
Frame Time: .0333333
1 2 3 10 20 30 40 50 60
0 0 0 0 0 0 0 0 90
"""


def saved(tmp_path, text, name="clip.bvh"):
    (tmp_path / name).write_text(text, newline="")
    return tmp_path / name


def close(a, b, atol):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


def test_angles_turn_in_the_order_of_their_channels(tmp_path):
    motion = read_bvh(saved(tmp_path, TWO))
    assert motion.skeleton.names == ("Hips", "Arm")
    assert motion.fps == 30
    for joint, (order, angles) in enumerate([("ZYX", [10, 20, 30]), ("YXZ", [40, 50, 60])]):
        expected = Rotation.from_euler(order, angles, degrees=True).as_matrix()
        close(motion.rot[0, joint].double(), torch.from_numpy(expected), 1e-6)
    close(motion.root[0], torch.tensor([1.0, 2, 3]), 0)
    rot, positions = motion.world()
    end = positions[1, 1] + rot[1, 1] @ torch.tensor(motion.skeleton.ends[0][1])
    close(end, torch.tensor([-0.5, 1.0, 0.0]), 1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("  ", "\t"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("ROOT Hips\n{", "ROOT Hips {"),
        lambda text: text.replace("Frames: 2", "Frames:\t2").replace("rotation", "ROTATION"),
        lambda text: text.replace("1 2 3 10 20", "1 2 3\n10 20"),
        lambda text: "\ufeff" + text,
    ],
)
def test_files_may_be_written_in_many_ways(change, tmp_path):
    plain, other = read_bvh(saved(tmp_path, TWO)), read_bvh(saved(tmp_path, change(TWO), "other.bvh"))
    close(other.rot, plain.rot, 0)
    close(other.root, plain.root, 0)
    assert other.skeleton.names == plain.skeleton.names


def test_names_with_spaces_and_names_that_come_twice(tmp_path):
    motion = read_bvh(saved(tmp_path, TWO.replace("Arm", "Left Arm")))
    assert motion.skeleton.names == ("Hips", "Left Arm")
    assert read_bvh(saved(tmp_path, TWO.replace("Arm", "Hips"))).skeleton.names == ("Hips", "Hips.2")


def test_positions_of_any_joint_stand_for_its_offset(tmp_path):
    text = (
        TWO.replace("CHANNELS 3 Yrot", "CHANNELS 4 Xposition Yrot")
        .replace(" 40 50", " 0.25 40 50")
        .replace("0 0 90", "0 0 0 90")
    )
    motion = read_bvh(saved(tmp_path, text))
    close(motion.offsets[:, 1], torch.tensor([[0.25, 1, 0], [0, 1, 0]]), 1e-7)
    again = read_bvh(write_bvh(motion, tmp_path / "again.bvh"))
    close(again.world()[1], motion.world()[1], 1e-5)


@pytest.mark.parametrize("name", ["clip.bvh", "clip.bvh.gz"])
@pytest.mark.parametrize("units", ["m", "cm", 0.0254])
def test_what_is_written_comes_back(name, units, tmp_path, body):
    drawn = random_motion(body, 40, generator=torch.Generator().manual_seed(0)).motion(body)
    again = read_bvh(write_bvh(drawn, tmp_path / name, units=units), units=units)
    order = [again.skeleton.index(name) for name in drawn.skeleton.names]  # a file lists a branch to its end
    above = [again.skeleton.parents[j] for j in order]
    assert [None if j < 0 else again.skeleton.names[j] for j in above] == [
        None if j < 0 else drawn.skeleton.names[j] for j in drawn.skeleton.parents
    ]
    assert again.fps == drawn.fps
    assert geodesic_distance(again.rot[:, order].double(), drawn.rot.double()).max() < 2e-6
    close(again.root, drawn.root, 1e-5)
    close(again.world()[1][:, order], drawn.world()[1], 1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "it is empty"),
        (lambda text: "\0" * 100, "it is not text"),
        (lambda text: text.replace("HIERARCHY", "HIERARCHIE"), "line 1: it begins with"),
        (lambda text: text[: text.index("CHANNELS 3")], "it ends where"),
        (lambda text: text[: text.index("MOTION")], "the MOTION is missing"),
        (lambda text: text[:-20], "2 frames of 9 numbers were announced, and"),
        (lambda text: text.replace("Frames: 2", "Frames: 3"), "3 frames of 9 numbers were announced"),
        (lambda text: text.replace("Frames: 2", "Frames: two"), "after MOTION should follow"),
        (
            lambda text: text.replace("Yrotation Xrotation Zrotation", "Yrotation Wrotation Zrotation"),
            "'Wrotation' is not known",
        ),
        (
            lambda text: text.replace("Yrotation Xrotation Zrotation", "Yrotation Yrotation Zrotation"),
            "Yrotation comes twice",
        ),
        (lambda text: text.replace("CHANNELS 3", "CHANNELS 9"), "line 9: '9' channels"),
        (lambda text: text.replace("OFFSET 0 1 0", "OFFSET 0 one 0"), "line 8: 'one' stands where a number"),
        (lambda text: text.replace("1 2 3 10", "1 2 3 ten"), "line 19: 'ten' is no number"),
        (lambda text: text.replace("1 2 3 10", "1 2 3 nan"), "frame 0 holds nan as the Hips Zrotation"),
        (lambda text: text.replace("0 0 90", "0 inf 90"), "frame 1 holds inf as the Arm Xrotation"),
        (lambda text: text.replace(".0333333", "0"), "the Frame Time is 0"),
        (lambda text: text.replace("  }\n}\nMOTION", "  }\nMOTION"), "it ends where }"),
        (lambda text: text.replace("JOINT Arm", "JOIN Arm"), "'JOIN' is none of"),
    ],
)
def test_damage_is_told_with_its_place(change, message, tmp_path):
    with pytest.raises(BvhError) as raised:
        read_bvh(saved(tmp_path, change(TWO)))
    assert message in str(raised.value)
    assert "clip.bvh" in str(raised.value)


def test_missing_files_and_damaged_archives_are_refused(tmp_path):
    with pytest.raises(BvhError, match="cannot be read"):
        read_bvh(tmp_path / "absent.bvh")
    packed = gzip.compress(TWO.encode())
    for data in (packed[:-20], packed[:20] + b"\xff" * 30 + packed[50:]):
        (tmp_path / "clip.bvh.gz").write_bytes(data)
        with pytest.raises(BvhError, match=r"unpack|too early"):
            read_bvh(tmp_path / "clip.bvh.gz")


def test_units_are_asked_for_where_no_human_fits(tmp_path):
    text = TWO.replace("OFFSET 0 1 0", "OFFSET 0 170 0")
    with pytest.raises(DataError, match=r"units='cm' would make it 1\.70 m"):
        read_bvh(saved(tmp_path, text))
    assert read_bvh(saved(tmp_path, text), units="cm").skeleton.positions[1, 1] == pytest.approx(1.7)
    with pytest.raises(ConfigError, match="units is 'feet'"):
        read_bvh(saved(tmp_path, TWO), units="feet")


def clips(folder):
    with (folder / "index.csv").open() as file:
        return list(csv.DictReader(file))


def test_clips_of_the_cmu_database_are_read(real_data):
    folder = real_data("cmu-mocap")
    rows = clips(folder)
    for row in rows[::6]:
        motion = read_bvh(folder / row["file"])
        assert len(motion) == int(row["frames"]) - 1  # the first is the T-pose
        assert motion.fps == float(row["fps"])
        assert len(motion.skeleton) == int(row["joints"])
        joints = find_joints(motion.skeleton)
        assert (joints.convention, joints.missing, len(joints.names)) == ("cmu", (), 24)
        place = {name: motion.skeleton.positions[j] for name, j in joints.indices(motion.skeleton).items()}
        arm = place["left_wrist"] - place["left_shoulder"]
        assert abs(arm[0]) > 0.98 * arm.norm()  # bound in a T-pose
        assert 1.3 < place["head"][1] - place["left_foot"][1] < 1.8  # metres
        assert place["left_foot"][2] > place["left_ankle"][2]  # faces +Z


def test_a_clip_of_the_cmu_database_is_placed_as_its_numbers_say(real_data):
    """Every joint of a frame, by scipy's rotations and one joint after another."""
    path = real_data("cmu-mocap") / "02_01.bvh"
    text = path.read_text()
    frames = np.array(text.split("Frame Time:")[1].split()[1:], float).reshape(-1, 96)
    motion = read_bvh(path)
    skeleton, number = motion.skeleton, 100
    row, column = frames[number + 1], 3
    world, places = [], []
    for joint, parent in enumerate(skeleton.parents):
        turn = Rotation.from_euler("ZYX", row[column : column + 3], degrees=True).as_matrix()
        column += 3
        if parent < 0:
            world.append(turn)
            places.append(row[:3] * 0.0254 / 0.45)
        else:
            world.append(world[parent] @ turn)
            places.append(places[parent] + world[parent] @ skeleton.offsets[joint].double().numpy())
    rot, positions = motion.world()
    np.testing.assert_allclose(positions[number].numpy(), np.stack(places), atol=1e-5)
    np.testing.assert_allclose(rot[number].numpy(), np.stack(world), atol=1e-5)


def test_a_clip_of_the_cmu_database_comes_back(real_data, tmp_path):
    motion = read_bvh(real_data("cmu-mocap") / "02_02.bvh")
    for written in (motion, motion.aligned()):
        again = read_bvh(write_bvh(written, tmp_path / "clip.bvh"), bind="zero", units="m")
        assert geodesic_distance(again.rot.double(), written.rot.double()).max() < 2e-6
        close(again.world()[1], motion.world()[1], 1e-5)
    close(again.skeleton.offsets[1:], motion.aligned().skeleton.offsets[1:], 1e-6)  # all angles 0 are the T-pose
