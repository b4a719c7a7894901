import math

import pytest
import torch

from unveil.core.errors import ConfigError, ShapeError
from unveil.divergences import MixtureRBF, Polynomial, mmd2, squared_distances

TOY = MixtureRBF((0.1, 0.5, 1.0, 2.0, 10.0))


def normal(n, d, seed, shift=0.0):
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x[:, 0] += shift
    return x


def naive(x, y, kernel, unbiased):
    """Every pair in turn, as the definition says."""

    def k(a, b):
        return kernel(a[None], b[None]).item()

    def pairs(z):
        return [k(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j or not unbiased]

    between = [k(a, b) for a in x for b in y]
    return sum(pairs(x)) / len(pairs(x)) + sum(pairs(y)) / len(pairs(y)) - 2 * sum(between) / len(between)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("kernel", [TOY, Polynomial(), Polynomial(2, scale=0.3, offset=0.5)])
def test_it_is_the_sum_over_pairs(kernel, unbiased):
    x, y = normal(7, 3, 0), normal(5, 3, 1, shift=1.0)
    assert mmd2(x, y, kernel, unbiased=unbiased).item() == pytest.approx(naive(x, y, kernel, unbiased), rel=1e-10)


def test_blocks_do_not_change_the_sum():
    x, y = normal(2500, 2, 0), normal(2100, 2, 1)

    def whole(z):
        return (Polynomial()(z, z).sum() - Polynomial()(z, z).trace()) / (len(z) * (len(z) - 1))

    expected = whole(x) + whole(y) - 2 * Polynomial()(x, y).mean()
    torch.testing.assert_close(mmd2(x, y, Polynomial()), expected, rtol=1e-8, atol=1e-12)


def test_rbf_kernels_between_gaussians_have_a_closed_form():
    d, distance = 2, 1.0

    def between(v, gap):
        return sum((s**2 / (s**2 + v)) ** (d / 2) * math.exp(-(gap**2) / (2 * (s**2 + v)))
                                     for s in TOY.bandwidths)  # fmt: skip

    exact = 2 * between(2.0, 0.0) - 2 * between(2.0, distance)
    assert exact == pytest.approx(0.26501, abs=1e-5)
    draws = [mmd2(normal(1000, d, 2 * i), normal(1000, d, 2 * i + 1, shift=distance), TOY) for i in range(10)]
    assert torch.stack(draws).mean().item() == pytest.approx(exact, abs=0.02)


def test_only_the_unbiased_estimate_is_zero_on_average_for_equal_distributions():
    pairs = [(normal(50, 3, 2 * i), normal(50, 3, 2 * i + 1)) for i in range(200)]
    for kernel in (Polynomial(), TOY):
        unbiased = torch.stack([mmd2(x, y, kernel) for x, y in pairs])
        error = unbiased.std().item() / len(pairs) ** 0.5
        assert abs(unbiased.mean().item()) < 4 * error
        biased = torch.stack([mmd2(x, y, kernel, unbiased=False) for x, y in pairs])
        assert biased.min() >= 0
        assert biased.mean().item() > 10 * error


def test_the_bias_is_what_a_sample_has_in_common_with_itself():
    m, between = 1000, sum(s**2 / (s**2 + 2) for s in TOY.bandwidths)  # E k(x, x') for N(0, I) in the plane
    predicted = 2 * (len(TOY.bandwidths) - between) / m
    x, y = normal(m, 2, 0), normal(m, 2, 1)
    biased, unbiased = (mmd2(x, y, TOY, unbiased=unbiased).item() for unbiased in (False, True))
    assert abs(unbiased) < 0.006
    assert biased - unbiased == pytest.approx(predicted, rel=0.02)


def test_the_polynomial_kernel_of_points_is_known():
    x, y = torch.tensor([[1.0], [1.0]]), torch.tensor([[-1.0], [-1.0]])
    assert mmd2(x, y, Polynomial()).item() == 8 + 8 - 0


def test_gradients_are_finite_where_the_samples_coincide():
    x = normal(6, 3, 0).requires_grad_()
    mmd2(x, x.detach().clone(), TOY, unbiased=False).backward()
    assert x.grad.isfinite().all()
    assert x.grad.abs().max() < 1e-12


def test_squared_distances_equal_the_differences_far_from_the_origin():
    x, y = normal(9, 4, 0).float() + 100, normal(8, 4, 1).float() + 100
    expected = (x[:, None].double() - y.double()).square().sum(-1)
    torch.testing.assert_close(squared_distances(x, y).double(), expected, rtol=1e-4, atol=1e-4)
    assert (squared_distances(x, x) >= 0).all()


def test_mistakes_are_explained():
    with pytest.raises(ConfigError, match="degree 3, scale 1/d, offset 1"):
        Polynomial(degree=0)
    with pytest.raises(ConfigError, match="above 0"):
        MixtureRBF((1.0, -1.0))
    with pytest.raises(ShapeError, match="2 samples or more"):
        mmd2(torch.zeros(1, 2), torch.zeros(3, 2), TOY)
    with pytest.raises(ShapeError, match=r"x.flatten\(1\)"):
        mmd2(torch.zeros(3, 2, 2), torch.zeros(3, 2), TOY)
