"""Retargeting: the same skeleton moves the same, others point their limbs alike, and who is no human is told why."""

import numpy as np
import pytest
import torch

from unveil.body import (
    JOINTS,
    PARENTS,
    Effectors,
    JointMap,
    Motion,
    Pose,
    RetargetError,
    Skeleton,
    angles_to_pose,
    key_poses,
    random_poses,
    read_bvh,
    read_glb,
    refine,
    retarget,
    write_glb,
)
from unveil.body.planting import standing
from unveil.geometry import axis_angle_to_matrix, geodesic_distance

BONES = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right")
         for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))]  # fmt: skip


def motion_of(skeleton, n=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Motion(skeleton, random_poses(n, generator), torch.randn(n, 3, generator=generator) + skeleton.positions[0])


def directions(motion, bones=BONES):
    places = motion.world()[1]
    ends = [[motion.skeleton.names.index(name) for name in bone] for bone in bones]
    return torch.nn.functional.normalize(torch.stack([places[:, b] - places[:, a] for a, b in ends], 1), dim=-1)


def in_an_a_pose(skeleton, scale=1.0, seed=3):
    """The same bones, longer or shorter, bound in an A-pose, with frames that lie anyhow."""
    rest = Skeleton.at_rest(skeleton.names, skeleton.parents, skeleton.positions * scale)
    bound = rest.bound(angles_to_pose(key_poses()["a-pose"]))
    axes = axis_angle_to_matrix(torch.randn(len(rest), 3, generator=torch.Generator().manual_seed(seed)))
    return Skeleton(bound.names, bound.parents, bound.rotations @ axes, bound.positions)


def test_a_skeleton_gives_itself_its_own_motion(body):
    motion = motion_of(body.skeleton())
    for plant in (False, True):
        found = retarget(motion, body.skeleton(), plant=plant)
        torch.testing.assert_close(found.rot, motion.rot, atol=1e-5, rtol=0)
        torch.testing.assert_close(found.root, motion.root, atol=1e-5, rtol=0)
    assert found.fps == motion.fps


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_limbs_point_alike_whatever_the_bind_pose_the_frames_and_the_size(body, scale):
    motion = motion_of(body.skeleton())
    target = in_an_a_pose(body.skeleton(), scale)
    there = retarget(motion, target)
    torch.testing.assert_close(directions(there), directions(motion), atol=1e-5, rtol=0)
    back = retarget(there, body.skeleton())
    torch.testing.assert_close(directions(back), directions(motion), atol=1e-5, rtol=0)
    torch.testing.assert_close(back.root, motion.root, atol=1e-4, rtol=0)
    assert (
        geodesic_distance(back.rot, motion.rot).max() < 0.5
    )  # what is lost is twist, where arms and legs were bound apart
    way = there.world()[1][:, 0] - target.positions[0]
    torch.testing.assert_close(way, scale * (motion.root - motion.skeleton.positions[0]), atol=1e-4, rtol=0)


def test_other_proportions_change_no_direction(body):
    long = body.skeleton(torch.tensor([0.0, 0, 3, -3, 0, 0, 0, 0, 0, 2]))
    motion = motion_of(body.skeleton())
    there = retarget(motion, long)
    torch.testing.assert_close(directions(there), directions(motion), atol=1e-5, rtol=0)
    torch.testing.assert_close(directions(retarget(there, body.skeleton())), directions(motion), atol=1e-5, rtol=0)
    lengths = (there.world()[1][:, 1:] - there.world()[1][:, list(PARENTS[1:])]).norm(dim=-1)
    torch.testing.assert_close(lengths, long.lengths[1:].expand_as(lengths), atol=1e-5, rtol=0)


def test_names_helpers_and_roots_of_their_own_do_not_matter(body):
    rest = body.skeleton()
    # A root on the floor, a joint that halves each thigh, and a tail that nobody asked about.
    names = ["armature", *(f"Bone {name}" for name in JOINTS), "left_half", "right_half", "tail"]
    parents = [-1, *(parent + 1 for parent in PARENTS), 2, 3, 1]
    halves = [(rest.positions[a] + rest.positions[b]) / 2 for a, b in ((1, 4), (2, 5))]
    places = torch.stack([torch.zeros(3), *rest.positions, *halves, rest.positions[0] - 0.1])
    order = [0, 1, 2, 3, 25, 26, *range(4, 25), 27]
    parents[5], parents[6] = 25, 26
    new = {old: place for place, old in enumerate(order)}
    other = Skeleton.at_rest(
        [names[old] for old in order],
        [-1 if parents[old] < 0 else new[parents[old]] for old in order],
        places[order],
    )
    names_of = JointMap({name: f"Bone {name}" for name in JOINTS})
    motion = motion_of(rest)
    found = retarget(motion, other, target_map=names_of)
    own = [other.names.index(f"Bone {name}") for name in JOINTS]
    torch.testing.assert_close(found.world()[1][:, own], motion.world()[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(retarget(found, rest, source_map=names_of).rot, motion.rot, atol=1e-5, rtol=0)
    tail = found.world()[0][:, other.names.index("tail")]
    torch.testing.assert_close(tail, found.world()[0][:, own[0]], atol=1e-6, rtol=0)


def with_spine(body, shares):
    """The body's skeleton with a straight spine of joints at shares of the way from the pelvis to the top one."""
    rest = body.skeleton().positions
    line = [torch.lerp(rest[0], rest[9], share) for share in shares]
    names = ["pelvis", *(f"vertebra{i}" for i in range(len(shares)))]
    parents, places = [-1, *range(len(shares))], [rest[0], *line]
    for joint, name in enumerate(JOINTS):
        if name not in ("pelvis", "spine1", "spine2", "spine3"):
            above = JOINTS[PARENTS[joint]]
            parents.append(len(shares) if above == "spine3" else names.index(above))
            names.append(name)
            places.append(rest[joint])
    return Skeleton.at_rest(names, parents, torch.stack(places))


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 1.0), (0.2, 0.4, 0.6, 0.8, 1.0)])
def test_a_spine_of_other_joints_bends_alike(body, shares):
    four = with_spine(body, (0.25, 0.5, 0.75, 1.0))
    bend = torch.tensor([0.2, 0.0, 0.0])
    rot = torch.eye(3).repeat(1, len(four), 1, 1)
    rot[0, 1:5] = axis_angle_to_matrix(bend)  # 0.2 more at each quarter of the way
    found = retarget(Motion(four, rot, four.positions[:1]), with_spine(body, shares))
    for joint, share in enumerate(shares, 1):
        turned = found.world()[0][0, joint]
        torch.testing.assert_close(turned, axis_angle_to_matrix(bend * 4 * share), atol=1e-5, rtol=0)


def test_who_faces_elsewhere_when_bound_is_turned_round(body):
    rest = body.skeleton()
    back = axis_angle_to_matrix(torch.tensor([0.0, torch.pi, 0.0]))
    behind = Skeleton(rest.names, rest.parents, rest.rotations, rest.positions @ back.T)
    motion = motion_of(rest)
    found = retarget(motion, behind)
    torch.testing.assert_close(directions(found) @ back, directions(motion), atol=1e-5, rtol=0)


def test_what_is_missing_is_listed(body):
    rest = body.skeleton()
    legless = Skeleton.at_rest(
        [n.replace("left_knee", "x").replace("head", "y") for n in rest.names], rest.parents, rest.positions
    )
    names = JointMap({n: n for n in JOINTS if n not in ("left_knee", "head")})
    motion = motion_of(rest, 1)
    with pytest.raises(RetargetError, match="The target has no joint for left_knee, head"):
        retarget(motion, legless, target_map=names)
    with pytest.raises(RetargetError, match="The motion's skeleton has no joint for left_knee, head"):
        retarget(motion_of(legless, 1), rest, source_map=names)


def test_no_frames_at_all_are_no_frames(body):
    motion = motion_of(body.skeleton(), 3)
    assert len(retarget(motion[:0], in_an_a_pose(body.skeleton()), plant=True)) == 0


def knee_bends(body, frames=40):
    """A motion whose pelvis sinks and rises over feet that stand still."""
    rest = Pose.rest(body, torch.zeros(frames, 10), torch.full((frames,), 2))
    kind = torch.tensor([0, 0, 0, 1, 1])
    joint = torch.tensor(
        [JOINTS.index(n) for n in ("pelvis", "left_ankle", "right_ankle", "left_ankle", "right_ankle")]
    )
    asked = Effectors.of_pose(kind, joint, *rest.joints(body))
    depth = 0.04 * (1 - torch.linspace(0, 2 * torch.pi, frames).cos())
    data = asked.data.clone()
    data[:, 0, 1] -= depth
    found = refine(body, rest, Effectors(asked.kind, asked.joint, data, asked.tolerance, asked.weight), 20)
    assert found.residuals.max() < 1e-3
    return Motion(body.skeleton(), found.pose.rotations, found.pose.pelvis)


def test_standing_feet_are_kept(body):
    motion = knee_bends(body)
    target = body.skeleton(torch.tensor([0.0, 0, -4, 0, 0, 0, 4, 0, 0, 4]), "male")
    ankles = [JOINTS.index("left_ankle"), JOINTS.index("right_ankle")]
    free, kept = (retarget(motion, target, plant=plant) for plant in (False, True))
    slides = [(m.world()[1][:, ankles] - m.world()[1][:1, ankles]).norm(dim=-1).max() for m in (free, kept)]
    assert standing(motion, {n: i for i, n in enumerate(JOINTS)}, "left", 0.8).all()
    assert slides[0] > 0.005
    assert slides[1] < 1e-4
    lengths = (kept.world()[1][:, 1:] - kept.world()[1][:, list(PARENTS[1:])]).norm(dim=-1)
    torch.testing.assert_close(lengths, target.lengths[1:].expand_as(lengths), atol=1e-5, rtol=0)
    feet = [free.world()[0][:, ankles], kept.world()[0][:, ankles]]
    torch.testing.assert_close(*feet, atol=1e-5, rtol=0)  # they stand as they stood


@pytest.mark.parametrize("clip", ["02_01.bvh", "02_06.bvh.gz", "05_05.bvh", "09_01.bvh"])
def test_real_motions_move_a_real_character(clip, real_data, tmp_path):
    motion = read_bvh(real_data("cmu-mocap") / clip).resampled(30)
    character = read_glb(real_data("characters") / "CesiumMan.glb")
    found = retarget(motion, character.skeleton, plant=False)
    cmu = [
        ("LeftArm", "LeftForeArm"),
        ("RightForeArm", "RightHand"),
        ("LeftUpLeg", "LeftLeg"),
        ("RightLeg", "RightFoot"),
    ]
    own = [("Skeleton_arm_joint_L__4_", "Skeleton_arm_joint_L__3_"), ("Skeleton_arm_joint_R__2_", "Skeleton_arm_joint_R__3_"),
           ("leg_joint_L_1", "leg_joint_L_2"), ("leg_joint_R_2", "leg_joint_R_3")]  # fmt: skip
    torch.testing.assert_close(directions(found, own), directions(motion, cmu), atol=2e-3, rtol=0)
    again = read_glb(write_glb(character, tmp_path / "moved.glb", found))
    moved = next(iter(again.motions.values()))
    np.testing.assert_allclose(again.move(moved)[-1], character.move(found)[-1], atol=1e-4)


@pytest.mark.filterwarnings("ignore:The skeleton's head")
def test_legs_without_length_are_refused(body):
    skeleton = body.skeleton()
    flat = Skeleton.at_rest(skeleton.names, skeleton.parents, torch.zeros_like(skeleton.positions))
    with pytest.raises(RetargetError, match="The target has legs without length"):
        retarget(motion_of(skeleton), flat)
    with pytest.raises(RetargetError, match="motion's skeleton has legs without length"):
        retarget(motion_of(flat), skeleton)
