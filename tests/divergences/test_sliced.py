import math

import pytest
import torch
from scipy.stats import wasserstein_distance
from seeds import seeded

from unveil.core.errors import ConfigError, ShapeError
from unveil.divergences import (
    SliceMap,
    distributional_sliced_wasserstein,
    likeness,
    sliced_wasserstein,
    unit_directions,
)


def normal(n, d, seed, shift=0.0):
    x = torch.randn(n, d, generator=seeded(seed), dtype=torch.float64)
    x[:, 0] += shift
    return x


def lines(x, count=500):
    return unit_directions(count, x.shape[1], seeded(99), like=x)


@pytest.mark.parametrize(("d", "exact"), [(2, math.sqrt(2)), (8, math.sqrt(1 / 2))])
def test_shifted_gaussians_have_a_closed_form(d, exact):
    x, y = normal(4000, d, 0), normal(4000, d, 1, shift=2.0)
    assert sliced_wasserstein(x, y, lines(x)).item() == pytest.approx(exact, abs=0.04)


def test_it_is_small_for_equal_distributions_and_zero_for_equal_sets():
    x, y = normal(1000, 2, 0), normal(1000, 2, 1)
    assert 0.02 < sliced_wasserstein(x, y, lines(x)).item() < 0.12
    assert sliced_wasserstein(x, x.flip(0), lines(x)).item() < 1e-12


@pytest.mark.parametrize(("n", "m"), [(5, 5), (4, 7), (6, 4), (1, 3)])
def test_on_a_line_it_is_the_transport_of_sorted_points(n, m):
    x, y = normal(n, 1, 0), normal(m, 1, 1, shift=0.5)
    expected = wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())
    assert sliced_wasserstein(x, y, torch.ones(1, 1).double(), p=1).item() == pytest.approx(expected, rel=1e-12)


def test_repeated_points_are_heavier_points():
    x, y = normal(6, 3, 0), normal(4, 3, 1)
    several = sliced_wasserstein(x.repeat(2, 1), y.repeat(3, 1), lines(x))
    torch.testing.assert_close(sliced_wasserstein(x, y, lines(x)), several)


def test_a_sum_grows_with_the_root_of_the_batch():
    x, y = normal(50, 3, 0), normal(50, 3, 1, shift=1.0)
    mean, total = (sliced_wasserstein(x, y, lines(x), summed=summed) for summed in (False, True))
    torch.testing.assert_close(total, mean * 50**0.5)


def test_gradients_pull_the_sets_together_and_are_finite_where_they_coincide():
    x, y = normal(200, 2, 0).requires_grad_(), normal(200, 2, 1, shift=3.0)
    sliced_wasserstein(x, y, lines(y)).backward()
    assert -x.grad[:, 0].mean() > 0  # downhill is towards y
    x = normal(20, 2, 0).requires_grad_()
    sliced_wasserstein(x, x.detach().clone(), lines(y)).backward()
    assert x.grad.abs().max() == 0


def test_directions_are_evenly_spread():
    for d, cosine in ((2, 2 / math.pi), (8, 0.291)):
        q = unit_directions(3000, d, seeded(0))
        torch.testing.assert_close(q.norm(dim=1), torch.ones(3000))
        assert likeness(q).item() == pytest.approx(cosine, abs=0.01)


@pytest.mark.parametrize(("d", "spread", "distance", "alike"), [
    (2, 0.0, 1.98, 1.0), (8, 0.0, 1.98, 1.0), (2, 10.0, 1.42, 0.62), (8, 10.0, 0.85, 0.29),
])  # fmt: skip
def test_without_a_price_on_likeness_the_worst_direction_is_found(d, spread, distance, alike):
    x, y = normal(1000, d, 0), normal(1000, d, 1, shift=2.0)
    found, slices = distributional_sliced_wasserstein(
        x, y, projections=300, steps=150 if spread == 0 else 100, spread=spread, generator=seeded(2)
    )
    assert found.item() == pytest.approx(distance, abs=0.15)
    assert likeness(slices(lines(x))).item() == pytest.approx(alike, abs=0.05)


def test_no_steps_give_the_plain_distance():
    x, y = normal(100, 3, 0), normal(100, 3, 1, shift=1.0)
    found, slices = distributional_sliced_wasserstein(x, y, projections=50, steps=0, generator=seeded(3))
    torch.testing.assert_close(found, sliced_wasserstein(x, y, unit_directions(50, 3, seeded(3), like=x)))
    assert torch.equal(slices.weight, torch.eye(3).double())


def test_a_map_can_be_taken_further():
    x, y = normal(300, 2, 0), normal(300, 2, 1, shift=2.0)
    options = {"projections": 50, "steps": 20, "spread": 0.0}
    first, slices = distributional_sliced_wasserstein(x, y, **options, generator=seeded(4))
    second, _ = distributional_sliced_wasserstein(x, y, **options, start=slices, generator=seeded(4))
    assert second > first


def test_the_points_get_gradients_and_the_map_none():
    x = normal(30, 2, 0).requires_grad_()
    with torch.no_grad():
        distributional_sliced_wasserstein(x, normal(30, 2, 1), projections=5, steps=2)  # an inner gradient all the same
    found, slices = distributional_sliced_wasserstein(x, normal(30, 2, 1), projections=5, steps=2)
    found.backward()
    assert x.grad.abs().max() > 0
    assert not slices.weight.requires_grad
    assert isinstance(slices, SliceMap)


def test_mistakes_are_explained():
    x = torch.zeros(3, 2)
    with pytest.raises(ConfigError, match="p >= 1"):
        sliced_wasserstein(x, x, torch.ones(1, 2), p=0.5)
    with pytest.raises(ConfigError, match="one size"):
        sliced_wasserstein(x, torch.zeros(4, 2), torch.ones(1, 2), summed=True)
    with pytest.raises(ShapeError, match="one or more"):
        sliced_wasserstein(x, x, torch.ones(0, 2))
    with pytest.raises(ShapeError, match="must be"):
        sliced_wasserstein(x, x, torch.ones(1, 3))
    with pytest.raises(ConfigError, match="spread >= 0"):
        distributional_sliced_wasserstein(x, x, spread=-1)
