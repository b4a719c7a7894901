import numpy as np
import pytest
import scipy.linalg
import torch

from unveil.core.errors import DataError, ShapeError
from unveil.divergences import Moments, frechet_gaussians, frechet_samples


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_spd(d, seed, rank=None):
    root = torch.randn(d, rank or d, generator=generator(seed), dtype=torch.float64)
    return root @ root.T / d


def rotation(d, seed=3):
    return torch.linalg.qr(torch.randn(d, d, generator=generator(seed), dtype=torch.float64))[0]


def test_equal_gaussians_are_at_distance_zero():
    gaussian = Moments(torch.arange(6).double(), random_spd(6, 0))
    assert frechet_gaussians(gaussian, gaussian) == pytest.approx(0, abs=1e-12)


def test_a_shift_costs_its_squared_length():
    cov, shift = random_spd(5, 1), torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]).double()
    a, b = Moments(torch.zeros(5).double(), cov), Moments(shift, cov)
    assert frechet_gaussians(a, b) == pytest.approx(shift.square().sum().item(), rel=1e-12)


def test_covariances_that_commute_differ_by_their_standard_deviations():
    turn = rotation(7)
    a_std, b_std = torch.linspace(0.1, 3, 7).double(), torch.linspace(2, 0.4, 7).double()
    a, b = (Moments(torch.zeros(7).double(), turn * std**2 @ turn.T) for std in (a_std, b_std))
    assert frechet_gaussians(a, b) == pytest.approx((a_std - b_std).square().sum().item(), rel=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_the_matrix_square_root_of_scipy(seed):
    a, b = random_spd(24, seed), random_spd(24, seed + 100)
    mean = torch.randn(24, generator=generator(seed), dtype=torch.float64)
    root = np.real(scipy.linalg.sqrtm(a.numpy() @ b.numpy()))
    expected = mean.square().sum().item() + np.trace(a.numpy() + b.numpy() - 2 * root)
    zero = torch.zeros_like(mean)
    assert frechet_gaussians(Moments(mean, a), Moments(zero, b)) == pytest.approx(expected, rel=1e-9)
    assert frechet_gaussians(Moments(zero, b), Moments(mean, a)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("rank_a", "rank_b"), [(5, 5), (5, 40), (40, 5), (1, 12)])
def test_singular_covariances_keep_every_digit(rank_a, rank_b):
    turn, d = rotation(40), 40
    a_std, b_std = torch.zeros(d).double(), torch.zeros(d).double()
    a_std[:rank_a], b_std[d - rank_b :] = torch.linspace(1, 2, rank_a), torch.linspace(3, 1, rank_b)
    mean = torch.zeros(d).double()
    a, b = (Moments(mean, turn * std**2 @ turn.T) for std in (a_std, b_std))
    expected = (a_std - b_std).square().sum().item()
    assert frechet_gaussians(a, b) == pytest.approx(expected, rel=1e-12)


def test_points_have_no_covariance_at_all():
    a, b = (Moments(torch.full((3,), x).double(), torch.zeros(3, 3).double()) for x in (1.0, 3.0))
    assert frechet_gaussians(a, b) == pytest.approx(12)


@pytest.mark.parametrize(("n", "m"), [(200, 300), (10, 12), (10, 300), (300, 10), (30, 30), (31, 31), (2, 2)])
def test_samples_and_their_moments_agree_for_few_and_for_many(n, m):
    d = 30
    x = torch.randn(n, d, generator=generator(1)) * torch.linspace(0.5, 2, d)
    y = torch.randn(m, d, generator=generator(2)) + 0.3
    by_moments = frechet_gaussians(Moments.of(x), Moments.of(y))
    assert frechet_samples(x, y) == pytest.approx(by_moments, rel=1e-9)
    assert frechet_samples(y, x) == pytest.approx(by_moments, rel=1e-9)


def test_fewer_samples_than_dimensions_are_no_further_from_themselves():
    x = torch.randn(20, 500, generator=generator(4)).double()
    assert frechet_samples(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_samples(x, x + 1) == pytest.approx(500, rel=1e-9)


def test_moments_equal_numpy_also_far_from_the_origin():
    x = torch.randn(5000, 6, generator=generator(5)) + 1000
    moments = Moments.of(x)
    np.testing.assert_allclose(moments.cov, np.cov(x.double().numpy(), rowvar=False), rtol=1e-10)
    np.testing.assert_allclose(moments.mean, x.double().mean(0), rtol=1e-14)


def test_the_distance_of_samples_approaches_that_of_the_gaussians():
    d = 4
    std = torch.tensor([0.5, 1.0, 2.0, 1.5]).double()
    x = torch.randn(200_000, d, generator=generator(6), dtype=torch.float64)
    y = 1 + std * torch.randn(200_000, d, generator=generator(7), dtype=torch.float64)
    assert frechet_samples(x, y) == pytest.approx(d + (std - 1).square().sum().item(), abs=0.05)


def test_mistakes_are_explained():
    with pytest.raises(ShapeError, match=r"\(n, d\) and \(m, d\)"):
        frechet_samples(torch.zeros(4, 3), torch.zeros(4, 2))
    with pytest.raises(ShapeError, match="two samples"):
        frechet_samples(torch.zeros(1, 3), torch.zeros(4, 3))
    with pytest.raises(ShapeError, match=r"\(d,\) and \(d, d\)"):
        Moments(torch.zeros(3), torch.zeros(2, 2))
    with pytest.raises(DataError, match="NaN"):
        frechet_samples(torch.full((9, 3), float("nan")), torch.zeros(9, 3))
    with pytest.raises(DataError, match="NaN"):
        frechet_samples(torch.full((2, 3), float("nan")), torch.zeros(2, 3))
