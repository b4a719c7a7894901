import pytest
import torch

from unveil.body import JOINTS, Body, random_poses
from unveil.body.effectors import LOOK_AT, POSITION, ROTATION
from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.geometry import angle_between, geodesic_distance, matrix_from_6d
from unveil.models.pose_ik import PROTOCOLS, draw_effectors
from unveil.models.pose_ik.drawing import Counts, ask, draw_counts, draw_joints


@pytest.fixture(scope="module")
def placed():
    """Where the joints of some poses are, and how they are turned in the world."""
    rot, positions = Body.embedded().place(random_poses(6, Streams(0, 6)))
    return positions, rot


def at(values, joint):
    return values[torch.arange(len(values))[:, None], joint]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_effectors_of_a_protocol_are_met_by_the_pose_they_are_drawn_from(placed, protocol):
    positions, rot = placed
    given = draw_effectors(protocol, positions, rot, Streams(3, 6))
    place, turn = at(positions, given.joint), at(rot, given.joint)
    for kind, error in (
        (POSITION, (given.data[..., :3] - place).norm(dim=-1)),
        (ROTATION, geodesic_distance(matrix_from_6d(given.data), turn)),
        (LOOK_AT, angle_between((turn @ given.data[..., 3:, None]).squeeze(-1), given.data[..., :3] - place)),
    ):
        assert (error[given.kind == kind] < 1e-4).all()
    assert not given.tolerance.any()
    assert (given.weight == 1).all()


def test_protocols_ask_what_they_say(placed):
    sizes = {name: set() for name in PROTOCOLS}
    for seed in range(80):
        for name in PROTOCOLS:
            given = draw_effectors(name, *placed, Streams(seed, 6))
            asked = [int((given.kind == kind).sum(1)[0]) for kind in (POSITION, ROTATION, LOOK_AT)]
            sizes[name].add(sum(asked))
            assert asked[0] >= {"thesis": 1, "release": 3, "protores": 6, "six": 6}[name]
            assert max(asked[:2]) <= 24
            for kind in (POSITION, ROTATION):
                joints = given.joint[0][given.kind[0] == kind].tolist()
                assert len(set(joints)) == len(joints)
            positions = [{JOINTS[j] for j, k in zip(*row, strict=True) if k == POSITION}
                         for row in zip(given.joint.tolist(), given.kind.tolist(), strict=True)]  # fmt: skip
            if name == "six":
                six = {"pelvis", "neck", "left_wrist", "right_wrist", "left_ankle", "right_ankle"}
                assert positions == [six] * 6
            if name == "protores":
                zones = [
                    {"pelvis", "left_hip", "right_hip"},
                    {"neck", "head"},
                    *({f"{side}_elbow", f"{side}_wrist", f"{side}_hand"} for side in ("left", "right")),
                    *({f"{side}_knee", f"{side}_ankle", f"{side}_foot"} for side in ("left", "right")),
                ]
                assert all(own & zone for own in positions for zone in zones)
    assert sizes["six"] == {6}
    assert sizes["protores"] == set(range(6, 13))
    assert min(sizes["thesis"]) <= 4
    assert 60 <= max(sizes["thesis"]) <= 64
    assert {4, 10, 16} <= sizes["release"] <= set(range(3, 20))


def test_all_kinds_come_alike_often():
    counts = torch.tensor([draw_counts(Streams(seed, 1), 3, 16, 3) for seed in range(600)]).double()
    assert counts[:, 0].min() == 3
    assert counts[:, 1].mean() == pytest.approx(9.5 / 3, abs=0.3)
    assert counts[:, 2].mean() == pytest.approx(9.5 / 3, abs=0.3)


def test_more_positions_and_rotations_than_joints_become_looks():
    for seed in range(50):
        counts = draw_counts(Streams(seed, 1), 150, 150, 1)
        assert counts[:2] == (24, 24)
        assert sum(counts) == 150


def test_every_joint_is_asked():
    joint = draw_joints(Streams(0, 400), Counts(3, 3, 3))
    for kind in (slice(0, 3), slice(3, 6), slice(6, 9)):
        assert set(joint[:, kind].flatten().tolist()) == set(range(24))
    assert (joint[:, 0] != joint[:, 1]).all()


def test_a_row_does_not_depend_on_the_others(placed):
    positions, rot = placed
    whole = draw_effectors("release", positions, rot, Streams(5, 6))
    part = draw_effectors("release", positions[2:4], rot[2:4], Streams(5, 6)[2:4])
    torch.testing.assert_close(part.data, whole.data[2:4])
    assert torch.equal(part.joint, whole.joint[2:4])


def test_noise_is_as_large_as_the_tolerance_that_is_told(placed):
    rows, counts = 4000, Counts(1, 1, 1)
    positions, rot = (values[:1].expand(rows, *values.shape[1:]) for values in placed)
    joint = draw_joints(Streams(0, rows), counts)
    given = ask(positions, rot, joint, counts, Streams(1, rows), spread=0.1, power=1.0)
    tolerance = given.tolerance
    assert not tolerance[:, 2].any()  # a look is meant exactly
    assert tolerance.max() <= 0.1
    assert float(tolerance[:, :2].mean()) == pytest.approx(0.05, rel=0.05)
    off = given.data[:, :1, :3] - at(positions, joint[:, :1])
    assert float((off / tolerance[:, :1, None]).std()) == pytest.approx(1, rel=0.05)
    turned = geodesic_distance(matrix_from_6d(given.data[:, 1]), at(rot, joint)[:, 1])
    assert float((turned / tolerance[:, 1]).square().mean()) == pytest.approx(3, rel=0.1)  # three angles
    rare = ask(positions, rot, joint, counts, Streams(1, rows), spread=0.1, power=13.0).tolerance
    assert float(rare[:, :2].mean()) == pytest.approx(0.1 / 14, rel=0.1)


def test_an_unknown_protocol_is_refused(placed):
    with pytest.raises(ConfigError, match="thesis, release, protores, six"):
        draw_effectors("seven", *placed)
