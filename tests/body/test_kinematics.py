"""From local rotations to joints and skin: what must hold for any pose."""

import pytest
import torch

from unveil.body import (
    JOINTS,
    PARENTS,
    Body,
    Motion,
    Skeleton,
    forward_kinematics,
    load_body,
    local_rotations,
    random_bodies,
    random_poses,
    skin,
)
from unveil.body.arrays import BodyArrays
from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.geometry import axis_angle_to_matrix, matrix_from_6d


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rotations(*shape, seed=0):
    return matrix_from_6d(numbers(*shape, 6, seed=seed))


def close(a, b, atol):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


def joint_by_joint(rot, offset, parents):
    """Forward kinematics as it is written down: one joint after another."""
    world, place = [], []
    for j, parent in enumerate(parents):
        if parent < 0:
            world.append(rot[:, j])
            place.append(offset[j].expand(len(rot), 3))
        else:
            world.append(world[parent] @ rot[:, j])
            place.append(place[parent] + (world[parent] @ offset[j][:, None]).squeeze(-1))
    return torch.stack(world, 1), torch.stack(place, 1)


@pytest.mark.parametrize(
    "parents", [PARENTS, (-1,), (-1, 0, 1, 2, 3), (-1, 0, 0, 0), (-1, 0, -1, 2, 1), (-1, 0, 1, 0, 3)]
)
def test_joints_are_placed_as_one_by_one(parents):
    rot, offset = rotations(7, len(parents)), numbers(len(parents), 3)
    for found, expected in zip(
        forward_kinematics(rot, offset, parents), joint_by_joint(rot, offset, parents), strict=True
    ):
        close(found, expected, 2e-6)


def test_kinematics_are_differentiable():
    rot, offset = rotations(2, 5).double().requires_grad_(), numbers(5, 3, seed=1).double().requires_grad_()
    torch.autograd.gradcheck(lambda r, o: forward_kinematics(r, o, (-1, 0, 1, 1, 0)), (rot, offset))


def test_kinematics_first_used_in_inference_mode_can_be_trained_with_later():
    parents = (-1, 0, 1, 0, 1, 4)  # of no other test
    rot, offset = rotations(2, 6), numbers(6, 3)
    with torch.inference_mode():
        forward_kinematics(rot, offset, parents)
    rot.requires_grad_()
    forward_kinematics(rot, offset, parents)[1].sum().backward()
    assert torch.isfinite(rot.grad).all()


def test_local_rotations_are_the_inverse_of_placing():
    rot = rotations(5, 24)
    world, _ = forward_kinematics(rot, numbers(24, 3), PARENTS)
    close(local_rotations(world, PARENTS), rot, 2e-6)


def test_arguments_of_kinematics_are_checked():
    with pytest.raises(ShapeError, match="24 joints need local rotations"):
        forward_kinematics(rotations(2, 23), numbers(24, 3), PARENTS)
    with pytest.raises(ConfigError, match="Joint 1 has the parent 1"):
        forward_kinematics(rotations(2, 2), numbers(2, 3), (-1, 1))
    with pytest.raises(ConfigError, match="first joint must be a root"):
        forward_kinematics(rotations(2, 2), numbers(2, 3), (0, 0))


def test_skinning_is_the_sum_over_joints():
    vertices, weights = numbers(30, 3), torch.rand(30, 5, generator=torch.Generator().manual_seed(0))
    weights = weights / weights.sum(1, keepdim=True)
    for batch in (1, 3, 8):  # few and many poses are computed in different ways
        rot, joints, rest = rotations(batch, 5), numbers(batch, 5, 3, seed=1), numbers(5, 3, seed=2)
        moved = torch.einsum("bjxy,bvjy->bvjx", rot, vertices[None, :, None] - rest) + joints[:, None]
        expected = (weights[..., None] * moved).sum(2)
        close(skin(vertices, weights, rot, joints, rest), expected, 2e-6)
        close(skin(vertices.expand(batch, -1, -1), weights, rot, joints, rest.expand(batch, -1, -1)), expected, 2e-6)
    with pytest.raises(ShapeError, match="do not fit weights"):
        skin(vertices, weights[:, :4], rot, joints, rest)


def rest(n=1):
    return torch.eye(3).expand(n, 24, 3, 3)


def test_a_body_at_rest_is_its_shaped_template(body):
    shape = numbers(10)
    close(body(rest(), shape).vertices[0], body.rest_vertices(shape), 1e-6)
    shift = torch.tensor([1.0, -2.0, 3.0])
    close(body(rest(), shape, trans=shift).vertices[0], body.rest_vertices(shape) + shift, 1e-5)


def test_trans_is_not_the_pelvis(body):
    shape, shift = numbers(10), torch.tensor([1.0, -2.0, 3.0])
    close(body.place(rest(), shape, pelvis=shift)[1][0, 0], shift, 0)
    close(body.place(rest(), shape, trans=shift)[1][0, 0], shift + body.rest_joints(shape)[0], 1e-6)
    assert body.rest_joints(shape)[0].norm() > 0.1
    with pytest.raises(ConfigError, match="give one of them"):
        body.place(rest(), pelvis=shift, trans=shift)


def test_turning_the_root_turns_the_whole_body_about_the_pelvis(body):
    pose, shape, turn = random_poses(4, torch.Generator().manual_seed(0)), numbers(10), rotations(1)[0]
    before = body(pose, shape)
    turned = pose.clone()
    turned[:, 0] = turn @ pose[:, 0]
    centre = before.joints[:, :1]
    close(body(turned, shape).vertices, (before.vertices - centre) @ turn.T + centre, 1e-5)


def test_joints_alone_are_those_of_the_skin(body):
    drawn = random_bodies(6, torch.Generator().manual_seed(0))
    full = body(drawn.pose, drawn.shape, drawn.gender)
    rot, joints = body.place(drawn.pose, drawn.shape, drawn.gender)
    close(full.joints, joints, 1e-6)
    close(full.rot, rot, 1e-6)
    row = body._row(drawn.gender)
    regressed = body.regressor[row] @ body.rest_vertices(drawn.shape, drawn.gender)
    close(body.rest_joints(drawn.shape, drawn.gender), regressed, 2e-6)


def test_bones_keep_their_lengths(body):
    pose, shape = random_poses(20, torch.Generator().manual_seed(0)), numbers(10)
    joints = body.place(pose, shape)[1]
    still = body.rest_joints(shape)
    above = list(PARENTS[1:])
    lengths = (joints[:, 1:] - joints[:, above]).norm(dim=-1)
    close(lengths, (still[1:] - still[above]).norm(dim=-1).expand_as(lengths), 1e-6)


def test_a_body_in_a_batch_is_the_body_alone(body):
    drawn = random_bodies(5, torch.Generator().manual_seed(1))
    pelvis = numbers(5, 3)
    together = body(drawn.pose, drawn.shape, drawn.gender, pelvis=pelvis)
    for i in range(5):
        alone = body(drawn.pose[i : i + 1], drawn.shape[i], int(drawn.gender[i]), pelvis=pelvis[i])
        close(alone.vertices[0], together.vertices[i], 1e-5)
        close(alone.joints[0], together.joints[i], 1e-5)


def test_a_body_can_be_differentiated_in_pose_and_shape(body):
    shape = torch.zeros(2, 10, requires_grad=True)
    vector = torch.zeros(2, 24, 3, requires_grad=True)
    posed = body(axis_angle_to_matrix(vector), shape, ["male", "female"])
    (posed.vertices.square().sum() + posed.joints.sum()).backward()
    assert torch.isfinite(shape.grad).all()
    assert torch.isfinite(vector.grad).all()
    assert shape.grad.abs().amax(1).min() > 0


def test_what_a_body_is_given_is_checked(body):
    with pytest.raises(ShapeError, match="a body's shape is 10 numbers"):
        body.rest_joints(torch.zeros(16))
    with pytest.raises(ShapeError, match="local rotations"):
        body.place(torch.zeros(24, 3, 3))
    with pytest.raises(ConfigError, match="male, female or neutral"):
        body.rest_joints(gender="woman")
    alone = Body({"female": arrays()})
    assert alone.genders == ("female",)
    alone.rest_joints()
    with pytest.raises(ConfigError, match="there is no male one"):
        alone.rest_joints(gender="male")


def arrays(vertices=40, pose_directions=None, seed=0):
    """A body of random numbers."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(vertices, 24, generator=generator)
    regressor = torch.rand(24, vertices, generator=generator)
    return BodyArrays(
        template=torch.randn(vertices, 3, generator=generator).numpy(),
        shape_directions=0.1 * torch.randn(vertices, 3, 10, generator=generator).numpy(),
        pose_directions=pose_directions,
        regressor=(regressor / regressor.sum(1, keepdim=True)).numpy(),
        weights=(weights / weights.sum(1, keepdim=True)).numpy(),
        faces=torch.randint(vertices, (60, 3), generator=generator).numpy(),
    )


@pytest.mark.parametrize("genders", [["male"] * 3, ["male", "female", "male"]])
def test_pose_dependent_shape_is_added_before_skinning(genders):
    directions = 0.05 * numbers(40, 3, 207)
    both = Body(
        {"male": arrays(pose_directions=directions.numpy()), "female": arrays(pose_directions=2 * directions.numpy())}
    )
    plain = Body({"male": arrays(), "female": arrays()})
    pose, shape = rotations(3, 24), numbers(3, 10)
    rot, joints = both.place(pose, shape, genders)
    turned = (pose[:, 1:] - torch.eye(3)).reshape(3, 207)
    strength = torch.tensor([2.0 if gender == "female" else 1.0 for gender in genders])[:, None, None]
    corrected = plain.rest_vertices(shape, genders) + strength * torch.einsum("vxp,bp->bvx", directions, turned)
    expected = skin(corrected, plain.weights[0], rot, joints, plain.rest_joints(shape, genders))
    close(both(pose, shape, genders).vertices, expected, 1e-5)
    close(both(rest(3), shape, genders).vertices, plain.rest_vertices(shape, genders), 1e-5)


def test_arrays_that_do_not_fit_are_refused():
    good = arrays()
    for change, message in (
        ({"weights": 2 * good.weights}, "rows of a body's weights must sum to 1"),
        ({"regressor": good.regressor.T}, "regressor have the shape"),
        ({"faces": good.faces + 40}, "faces name vertices outside"),
        ({"template": good.template * float("nan")}, "not finite"),
    ):
        with pytest.raises(DataError, match=message):
            BodyArrays(**{**good.__dict__, **change})
    with pytest.raises(DataError, match="differ in their faces"):
        Body({"male": good, "female": arrays(seed=1)})


def test_a_character_of_the_body_moves_as_the_body(body):
    pose, shape, pelvis = random_poses(6, torch.Generator().manual_seed(2)), numbers(10), numbers(6, 3)
    character = body.character(shape, "male")
    close(character.posed(pose, pelvis), body(pose, shape, "male", pelvis=pelvis).vertices, 1e-5)
    assert character.skeleton.names == JOINTS


def test_shapes_that_no_human_has_are_told(body):
    with pytest.warns(UserWarning, match="beyond 5"):
        body.character(torch.full((10,), 6.0))


def test_binding_anew_does_not_change_what_bones_do(body):
    skeleton, pose = body.skeleton(), random_poses(2, torch.Generator().manual_seed(3))
    bound = skeleton.bound(pose[0])
    for one, other in zip(bound.place(pose[1:]), skeleton.place(pose[1:]), strict=True):
        close(one, other, 2e-6)
    close(bound.local, pose[0], 2e-6)
    motion = Motion(bound, pose, torch.zeros(2, 3))
    turned = motion.aligned()
    close(turned.world()[1], motion.world()[1], 2e-6)
    close(turned.rot[0], torch.eye(3).expand(24, 3, 3), 2e-6)  # the bind pose is where all angles are 0


def test_motions_keep_their_speed_and_go_the_shortest_way(body):
    angles = torch.linspace(0, 2, 25)[:, None, None] * torch.tensor([0.0, 0.0, 1.0])
    rot = torch.eye(3).repeat(25, 24, 1, 1)
    rot[:, 3] = axis_angle_to_matrix(angles[:, 0])
    motion = Motion(body.skeleton(), rot, angles[:, 0], fps=24)
    twice = motion.resampled(48)
    assert len(twice) == 49
    assert motion.seconds == twice.seconds == motion[::2].seconds == 1
    close(twice.rot[1, 3], axis_angle_to_matrix(torch.tensor([0.0, 0.0, 1 / 24])), 1e-6)
    close(twice.root[1], torch.tensor([0.0, 0.0, 1 / 24]), 1e-6)
    close(twice.resampled(24).rot, motion.rot, 2e-6)
    with pytest.raises(ConfigError, match="fps is -1"):
        motion.resampled(-1)


def test_skeletons_and_motions_are_checked(body):
    skeleton = body.skeleton()
    with pytest.raises(ConfigError, match="did you mean left_knee"):
        skeleton.index("left_kne")
    with pytest.raises(ConfigError, match="comes twice"):
        Skeleton.at_rest(["a", "a"], (-1, 0), torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"needs \(T, 24, 3, 3\)"):
        Motion(skeleton, torch.zeros(5, 23, 3, 3), torch.zeros(5, 3))


def test_without_a_path_the_embedded_body_is_loaded(body):
    assert load_body().fingerprint == body.fingerprint
