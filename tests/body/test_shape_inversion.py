"""Shape inversion: bodies of its own prior are found again by their bones, and who is like no body is told why."""

import warnings

import pytest
import torch

from unveil.body import (
    JOINTS,
    PARENTS,
    JointMap,
    ShapeBank,
    ShapeInversionError,
    Skeleton,
    angles_to_pose,
    invert_shape,
    key_poses,
    read_glb,
)
from unveil.body.shape_inversion import BANDWIDTH


@pytest.fixture(scope="module")
def bank(body):
    return ShapeBank.draw(body)


def scaled(body, shape, scale, gender=None):
    return Skeleton.at_rest(JOINTS, PARENTS, scale * body.rest_joints(shape, gender))


@pytest.mark.parametrize("prescale", [True, False])
def test_bodies_of_the_prior_are_found_by_their_bones(body, bank, prescale):
    generator = torch.Generator().manual_seed(7)
    errors, polished = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some are at the edge of the prior
        for i in range(200):
            u = torch.rand(11, generator=generator)
            own = scaled(body, 10 * u[:10] - 5, 0.2 + 1.8 * u[10])
            found = invert_shape(own, bank, prescale=prescale)
            errors.append((found.found - found.features).abs())
            if i < 20:
                again = scaled(body, found.shape, found.scale)
                torch.testing.assert_close(
                    invert_shape(again, bank, prescale=prescale).features, found.found, atol=1e-4, rtol=0
                )
                better = invert_shape(own, bank, prescale=prescale, polish=True)
                polished.append((better.found - better.features).abs())
                assert better.shape.abs().max() <= 5
    assert torch.stack(errors).mean() < 0.012
    assert torch.stack(errors).max() < 0.080
    assert torch.stack(polished).mean() < 0.7 * torch.stack(errors[:20]).mean()


def test_ordinary_people_are_found_of_their_own_size(body, bank):
    found = invert_shape(scaled(body, None, 1.0), bank)
    assert found.scale == pytest.approx(1, abs=0.05)
    assert found.samples >= 8
    assert found.bandwidth == BANDWIDTH
    assert found.error < 0.015
    other = ShapeBank.draw(body, "female")
    assert other.gender == "female"
    assert invert_shape(scaled(body, None, 1.0, "female"), other).error < 0.015


def test_units_do_not_matter_if_the_character_is_scaled(body, bank):
    shape = torch.tensor([1.0, 0, 2, -1, 0, 1, 0, 0, 0, 1])
    metres, centimetres = (invert_shape(scaled(body, shape, size), bank) for size in (1.0, 100.0))
    torch.testing.assert_close(centimetres.shape, metres.shape, atol=1e-4, rtol=0)
    assert centimetres.scale == pytest.approx(100 * metres.scale, rel=1e-5)
    with pytest.raises(ShapeInversionError, match=r"head to ankle 15\d.*prescale=True"):
        invert_shape(scaled(body, shape, 100.0), bank, prescale=False)


def test_a_bank_is_the_same_each_time_unless_told(body, bank):
    torch.testing.assert_close(ShapeBank.draw(body, 2).features, bank.features)
    other = ShapeBank.draw(body, samples=100, generator=torch.Generator().manual_seed(1))
    assert other.features.shape == (100, 6)
    assert (other.features - bank.features[:100]).abs().max() > 0.1


def test_who_is_bound_in_an_a_pose_is_straightened_first(body, bank):
    rest = scaled(body, None, 1.0)
    bent = rest.bound(angles_to_pose(key_poses()["a-pose"]))
    sitting = rest.bound(angles_to_pose(key_poses()["sit"]))
    straight = invert_shape(rest, bank)
    for other in (bent, sitting):
        torch.testing.assert_close(invert_shape(other, bank).features, straight.features, atol=2e-3, rtol=0)


def odd(body, factor):
    """A body whose thighs are some other length."""
    places = body.rest_joints().clone()
    for side in ("left", "right"):
        hip, knee = (JOINTS.index(f"{side}_{name}") for name in ("hip", "knee"))
        shift = (factor - 1) * (places[knee] - places[hip])
        for name in ("knee", "ankle", "foot"):
            places[JOINTS.index(f"{side}_{name}")] += shift
    return Skeleton.at_rest(JOINTS, PARENTS, places)


def test_few_like_bodies_widen_the_average_and_warn(body, bank):
    with pytest.warns(UserWarning, match=r"Few bodies are like.* bandwidth of"):
        found = invert_shape(odd(body, 1.45), bank)
    assert found.samples == pytest.approx(8, abs=0.1)
    assert found.bandwidth > BANDWIDTH
    assert torch.isfinite(found.shape).all()
    with pytest.warns(UserWarning, match=r"over \d\.\d of them\.$"):
        assert invert_shape(odd(body, 1.45), bank, adaptive=False).bandwidth == BANDWIDTH


def test_who_is_like_no_body_is_refused_with_the_measures(body, bank):
    with pytest.raises(ShapeInversionError, match=r"hip to knee .* \(nearest .*Are its joints the right ones"):
        invert_shape(odd(body, 4.0), bank)
    with pytest.raises(ShapeInversionError, match="No body is like"):
        invert_shape(scaled(body, None, 0.01), bank, prescale=False)


def test_joints_that_are_missing_are_listed(body, bank):
    names = JointMap({n: n for n in JOINTS if n not in ("right_elbow", "left_ankle")})
    with pytest.raises(ShapeInversionError, match="no joint for left_ankle, right_elbow"):
        invert_shape(scaled(body, None, 1.0), bank, joint_map=names)


def test_a_real_character_is_given_a_body(bank, real_data):
    character = read_glb(real_data("characters") / "CesiumMan.glb")
    found = invert_shape(character.skeleton, bank, polish=True)
    assert found.error < 0.025
    assert 0.7 < found.scale < 0.9  # a child's size
