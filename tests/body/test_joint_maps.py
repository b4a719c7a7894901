"""Which joint is which, by the names of many programs and by the tree alone."""

import pytest
import torch

from unveil.body import JOINTS, PARENTS, JointMap, Skeleton, find_gender, find_joint, find_joints, read_glb
from unveil.core.errors import ConfigError, DataError

MIXAMO = {
    **{"pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head"},
    **{"hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder", "shoulder": "Arm"},
    **{"elbow": "ForeArm", "wrist": "Hand", "hand": "HandMiddle1"},
}
VRM = {
    **{"pelvis": "hips", "spine1": "spine", "spine2": "chest", "spine3": "upperChest", "neck": "neck", "head": "head"},
    **{
        "hip": "UpperLeg",
        "knee": "LowerLeg",
        "ankle": "Foot",
        "foot": "Toes",
        "collar": "Shoulder",
        "shoulder": "UpperArm",
    },
    **{"elbow": "LowerArm", "wrist": "Hand", "hand": "MiddleProximal"},
}
UNREAL = {
    **{
        "pelvis": "pelvis",
        "spine1": "spine_01",
        "spine2": "spine_02",
        "spine3": "spine_03",
        "neck": "neck_01",
        "head": "head",
    },
    **{"hip": "thigh", "knee": "calf", "ankle": "foot", "foot": "ball", "collar": "clavicle", "shoulder": "upperarm"},
    **{"elbow": "lowerarm", "wrist": "hand", "hand": "middle_01"},
}


def sided(names, write):
    """A program's names of the 24 joints; `write` puts the side into a name."""
    found = []
    for joint in JOINTS:
        side, _, rest = joint.partition("_")
        found.append(write(names[rest], side) if side in ("left", "right") else names[joint])
    return found


def skeleton(body, names):
    return Skeleton.at_rest(names, PARENTS, body.rest_joints())


@pytest.mark.parametrize(
    ("names", "convention"),
    [
        (list(JOINTS), "smpl"),
        ([name.replace("left_", "L_").replace("right_", "R_").title() for name in JOINTS], "smpl"),
        ([f"m_avg_{name.replace('left_', 'L_').replace('right_', 'R_')}" for name in JOINTS], "smpl"),
        (sided(MIXAMO, lambda name, side: side.title() + name), "mixamo"),
        ([f"mixamorig:{n}" for n in sided(MIXAMO, lambda name, side: side.title() + name)], "mixamo"),
        ([f"mixamorig1:{n}" for n in sided(MIXAMO, lambda name, side: side.title() + name)], "mixamo"),
        ([f"Character1_{n}" for n in sided(MIXAMO, lambda name, side: side.title() + name)], "mixamo"),
        ([n.lower() for n in sided(MIXAMO, lambda name, side: side.title() + name)], "mixamo"),
        (sided(VRM, lambda name, side: side + name), "humanoid"),
        (sided(VRM, lambda name, side: f"J_Bip_{side[0].upper()}_{name}"), "humanoid"),
        (sided(UNREAL, lambda name, side: f"{name}_{side[0]}"), "unreal"),
    ],
)
def test_names_of_known_programs(names, convention, body):
    found = find_joints(skeleton(body, names))
    assert found.convention == convention
    assert [found.names[joint] for joint in JOINTS] == names
    assert found.missing == ()


def test_names_that_say_nothing_are_found_by_the_tree(body):
    names = [f"bone {i}" for i in range(24)]
    found = find_joints(skeleton(body, names))
    assert found.convention == "guessed"
    assert found.missing == ()
    assert {joint: names.index(name) for joint, name in found.names.items()} == {
        joint: JOINTS.index(joint) for joint in found.names
    }
    assert len(found.names) == 24


def test_a_tree_that_is_no_humans_lists_what_is_missing(body):
    chain = Skeleton.at_rest([f"b{i}" for i in range(8)], tuple(range(-1, 7)), torch.arange(24.0).reshape(8, 3))
    found = find_joints(chain)
    with pytest.raises(DataError, match="The dog has no joint for pelvis, left_hip"):
        found.check("The dog")
    names = [name if name != "left_knee" else "thing" for name in JOINTS]
    handless = Skeleton.at_rest(names[:8], PARENTS[:8], body.rest_joints()[:8])
    assert "left_elbow" in find_joints(handless).missing


def test_a_character_of_unknown_names_is_understood(real_data):
    character = read_glb(real_data("characters") / "CesiumMan.glb")
    found = find_joints(character.skeleton).check()
    assert found.names["left_knee"] == "leg_joint_L_2"
    assert found.names["right_elbow"] == "Skeleton_arm_joint_R__2_"
    assert found.names["head"] == "Skeleton_neck_joint_2"
    assert all(character.skeleton.index(name) >= 0 for name in found.names.values())


def test_a_skeleton_that_does_not_stand_along_y_is_told(body):
    lying = Skeleton.at_rest(JOINTS, PARENTS, body.rest_joints()[:, [1, 0, 2]])
    with pytest.warns(UserWarning, match="head is not above its legs"):
        assert find_joints(lying).convention == "smpl"


def test_maps_are_written_and_read(tmp_path, body):
    found = find_joints(skeleton(body, list(JOINTS)))
    assert JointMap.load(found.save(tmp_path / "map.json")).names == found.names
    assert found.indices(body.skeleton())["head"] == 15
    for text in ("[1]", "{", '{"left_knee": 3}'):
        (tmp_path / "map.json").write_text(text)
        with pytest.raises(DataError, match=r"joint map .*map.json"):
            JointMap.load(tmp_path / "map.json")
    with pytest.raises(ConfigError, match="tail are no joints"):
        JointMap({"tail": "x"})
    with pytest.raises(ConfigError, match="stands for two joints"):
        JointMap({"left_knee": "x", "right_knee": "x"})


def test_joints_and_genders_are_found_by_name():
    assert find_joint("head") == 15
    with pytest.raises(ConfigError, match="did you mean left_wrist"):
        find_joint("left_wirst")
    assert [find_gender(g) for g in ("male", "F", "Neutral", 2, "n")] == [0, 1, 2, 2, 2]
    for wrong in ("x", 3, -1, True, ""):
        with pytest.raises(ConfigError, match="male, female or neutral"):
            find_gender(wrong)
