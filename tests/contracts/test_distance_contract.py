"""What every estimate of how far apart two sets of samples are promises."""

import inspect

import pytest
import torch
from contracts.found import functions
from seeds import seeded

from unveil.core.errors import ShapeError
from unveil.divergences import (
    MixtureRBF,
    distributional_sliced_wasserstein,
    frechet_samples,
    mmd2,
    sliced_wasserstein,
    slicing_loss,
    squared_distances,
    structural_similarity,
    unit_directions,
)
from unveil.divergences.distances import check_same_space


def drawn(n=200, d=3, seed=0):
    return torch.randn(n, d, generator=seeded(seed), dtype=torch.float64)


def by_kernel(x, y):
    return mmd2(x, y, MixtureRBF(), unbiased=False)


def by_slices(x, y):
    return sliced_wasserstein(x, y, unit_directions(50, x.shape[1], seeded()).to(x))


def by_chosen_slices(x, y):
    return distributional_sliced_wasserstein(x, y, projections=200, steps=5, generator=seeded())[0]


IMPLEMENTATIONS = {
    frechet_samples: frechet_samples,
    mmd2: by_kernel,
    sliced_wasserstein: by_slices,
    distributional_sliced_wasserstein: by_chosen_slices,
}
PARTS = {squared_distances, check_same_space, slicing_loss, structural_similarity}
"""What takes x and y too, of pairs of points or pictures rather than of sets."""
ALL = pytest.mark.parametrize("distance", IMPLEMENTATIONS.values(), ids=[kind.__name__ for kind in IMPLEMENTATIONS])


def test_every_distance_is_here():
    assert set(IMPLEMENTATIONS) == functions("divergences", takes=("x", "y")) - PARTS


@ALL
def test_a_set_is_at_no_distance_from_itself_in_any_order(distance):
    x = drawn()
    mixed = x[torch.randperm(len(x), generator=seeded(1))]
    assert float(distance(x, x)) == pytest.approx(0, abs=1e-6)
    assert float(distance(x, mixed)) == pytest.approx(0, abs=1e-6)


@ALL
def test_it_is_the_same_both_ways_and_never_negative(distance):
    x, y = drawn(200), 1.3 * drawn(200, seed=1) + 0.2
    there, back = float(distance(x, y)), float(distance(y, x))
    assert there > 0
    assert there == pytest.approx(back, rel=1e-6)


@ALL
def test_sets_farther_apart_are_farther(distance):
    x, y = drawn(), drawn(seed=1)
    far = [float(distance(x, y + shift)) for shift in (0.0, 0.5, 1.0, 2.0)]
    assert far == sorted(far)
    assert far[3] > 5 * far[0]


@ALL
def test_sets_may_differ_in_size(distance):
    near, far = (float(distance(drawn(150), drawn(80, seed=1) + shift)) for shift in (0, 1))
    assert 0 <= near < far


@ALL
def test_single_precision_gives_nearly_the_same(distance):
    x, y = drawn(), drawn(seed=1) + 0.5
    assert float(distance(x.float(), y.float())) == pytest.approx(float(distance(x, y)), rel=0.05)


@ALL
def test_the_same_arguments_give_the_same_number_and_stay_as_they_are(distance):
    x, y = drawn(), drawn(seed=1)
    before = x.clone(), y.clone()
    assert float(distance(x, y)) == float(distance(x, y))
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


@ALL
def test_gradients_lead_one_set_to_the_other(distance):
    if inspect.signature(distance).return_annotation is float:
        assert isinstance(distance(drawn(), drawn(seed=1)), float)  # a figure to report, no loss
        return
    x = drawn().requires_grad_()
    y = drawn(seed=1) + 1
    (slope,) = torch.autograd.grad(distance(x, y), x)
    assert bool((slope.sum(0) < 0).all())  # moving all of x towards y lowers it


@ALL
def test_sets_of_different_spaces_are_refused(distance):
    with pytest.raises(ShapeError):
        distance(drawn(d=3), drawn(d=4))
