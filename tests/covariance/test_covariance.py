import math

import pytest
import torch

from unveil.core.errors import ConfigError, ShapeError
from unveil.covariance import Circulant, Dense, Diagonal, Identity, free_field, on_plane


def dense(function, size):
    """The matrix of a linear function of a plane."""
    n = math.prod(size)
    return function(torch.eye(n, dtype=torch.float64).reshape(n, *size)).reshape(n, n).T


@pytest.mark.parametrize("size", [(8, 8), (8, 12), (7, 9), (6, 5)])
def test_free_field_has_unit_variance_at_every_pixel_and_a_symmetric_root(size):
    root = dense(free_field(*size).sqrt, size)
    torch.testing.assert_close(
        (root @ root.T).diagonal(), torch.ones(len(root), dtype=torch.float64), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(root, root.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "dc", "smallest", "condition", "logdet", "mean_inverse", "lag"),
    [
        ((8, 8), 4.9484, 0.15464, 32, -31.6644, 2.2261, 0.4857),
        ((16, 16), 14.7734, 0.11542, 128, -190.5474, 2.9109, 0.6063),
        ((32, 32), 47.2028, 0.09219, 512, -981.2482, 3.6227, 0.6835),
        ((64, 64), 157.2281, 0.07677, 2048, -4663.7588, 4.3440, 0.7360),
        ((32, 48), 96.7377, 0.08397, 1152, -1613.0405, 3.9751, 0.711),
    ],
)
def test_free_field_reference_values(size, dc, smallest, condition, logdet, mean_inverse, lag):
    cov = free_field(*size)
    lam = cov.eigenvalues()
    assert float(lam[0, 0]) == pytest.approx(dc, rel=2e-5)
    assert float(lam.min()) == pytest.approx(smallest, rel=1e-4)
    assert cov.condition() == pytest.approx(condition, rel=1e-9)
    assert float(cov.logdet()) == pytest.approx(logdet, abs=1e-4)
    assert float((1 / lam).mean()) == pytest.approx(mean_inverse, rel=5e-5)
    one = torch.zeros(size, dtype=torch.float64)
    one[0, 0] = 1
    assert float(cov.apply(one)[0, 1]) == pytest.approx(lag, abs=5e-4)


@pytest.mark.parametrize(("power", "condition", "logdet"), [(0.5, 22.63, -178.5079), (2.0, 2.62e5, -4753.6478)])
def test_free_field_at_other_powers(power, condition, logdet):
    cov = free_field(32, 32, power)
    assert cov.condition() == pytest.approx(condition, rel=1e-3)
    assert float(cov.logdet()) == pytest.approx(logdet, abs=1e-4)


def test_free_field_spectrum_is_a_power_law_of_frequency():
    lam = free_field(16, 16, 1.0).eigenvalues()
    assert float(lam[0, 1] / lam[0, 2]) == pytest.approx(4)
    assert float(lam[1, 1] / lam[2, 2]) == pytest.approx(4)
    assert float(lam[0, 0] / lam[0, 1]) == pytest.approx(1)  # the mean is taken for the lowest frequency


@pytest.mark.parametrize(("power", "tolerance"), [(1.0, 1e-5), (2.0, 1e-4)])
def test_whitening_undoes_colouring(power, tolerance):
    cov = free_field(32, 32, power)
    z = torch.randn(3, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(cov.inv_sqrt(cov.sqrt(z)), z, rtol=0, atol=tolerance)
    z = z.double()
    torch.testing.assert_close(cov.inv_sqrt(cov.sqrt(z)), z, rtol=0, atol=1e-12)


def test_free_field_samples_have_the_right_moments():
    z = torch.randn(20_000, 32, 32, generator=torch.Generator().manual_seed(0))
    n = free_field(32, 32).sqrt(z)
    variance = n.var(0)
    assert float(variance.min()) > 0.96
    assert float(variance.max()) < 1.04
    assert float((n * n.roll(1, -1)).mean()) == pytest.approx(0.6835, abs=0.005)
    assert float((n * n.roll(1, -2)).mean()) == pytest.approx(0.6835, abs=0.005)


def test_free_field_of_power_zero_is_the_identity_itself():
    assert free_field(8, 8, 0) == Identity()


def test_identity_returns_its_argument():
    x = torch.randn(2, 3)
    cov = Identity()
    assert all(f(x) is x for f in (cov.sqrt, cov.sqrt_t, cov.inv_sqrt, cov.inv_sqrt_t, cov.apply, cov.solve))


def test_channels_may_have_their_own_spectra():
    spectra = torch.stack([free_field(6, 6, 1.0).eigenvalues(), free_field(6, 6, 2.0).eigenvalues()])
    cov = Circulant(spectra)
    z = torch.randn(4, 2, 6, 6, dtype=torch.float64)
    n = cov.sqrt(z)
    torch.testing.assert_close(n[:, 1], free_field(6, 6, 2.0).sqrt(z[:, 1]))
    assert cov.logdet().shape == (2,)


def test_operators_are_differentiable_and_follow_the_type():
    cov = free_field(8, 8)
    z = torch.randn(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(cov.sqrt, (z,))
    half = cov.sqrt(torch.randn(1, 1, 8, 8).bfloat16())
    assert half.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: free_field(8, 8, -1), "0 or more"),
        (lambda: free_field(8, 8, 1, dc=0), "above zero"),
        (lambda: free_field(1, 1), "two pixels"),
        (lambda: Circulant(torch.zeros(4, 4)), "above zero"),
        (lambda: Circulant(torch.rand(4, 4) + 0.1), "k and -k"),
        (lambda: Diagonal(torch.zeros(4, 4)), "above zero"),
        (lambda: Dense(torch.ones(3, 3)), "positive definite"),
        (lambda: Dense(torch.randn(3, 3)), "symmetric"),
    ],
)
def test_what_cannot_be_a_covariance_is_refused(make, said):
    with pytest.raises(ConfigError, match=said):
        make()


def test_a_size_that_does_not_fit_is_named():
    with pytest.raises(ShapeError, match=r"8 x 8.*8 x 9"):
        free_field(8, 8).sqrt(torch.zeros(1, 1, 8, 9))


def test_unnormalised_noise_warns():
    with pytest.warns(UserWarning, match="mean variance"):
        Diagonal(torch.full((2, 2), 3.0), normalize=False)


def test_noise_on_another_plane_keeps_its_correlations_and_loses_its_wrapping_round():
    small = free_field(8, 8)
    assert on_plane(small, 8, 8) is small
    assert on_plane(Identity(), 5, 7) == Identity()
    other = Diagonal(torch.ones(3, 4))
    assert on_plane(other, 5, 7) is other
    large = on_plane(small, 32, 24)

    def along(cov, size):
        one = torch.zeros(size, dtype=torch.float64)
        one[0, 0] = 1
        return cov.apply(one)[0]

    before, after = along(small, (8, 8)), along(large, (32, 24))
    fading = torch.sinc(torch.arange(9) / 8).double() ** 2
    torch.testing.assert_close(after[:9], torch.cat([before, before[:1]]) * fading, rtol=0.03, atol=0.02)
    assert float(after[0]) == pytest.approx(1)
    back = on_plane(on_plane(small, 16, 16), 8, 8)
    torch.testing.assert_close(back.spectrum / back.spectrum[0, 0], small.spectrum / small.spectrum[0, 0])
    with pytest.raises(ShapeError, match="0 x 4"):
        on_plane(small, 0, 4)


def test_eigenvalues_and_the_condition_of_small_matrices_are_those_by_hand():
    matrix = Dense(torch.tensor([[2.0, 1.0], [1.0, 2.0]]), normalize=False)
    torch.testing.assert_close(matrix.eigenvalues(), torch.tensor([1.0, 3.0], dtype=torch.float64))
    assert matrix.condition() == pytest.approx(3.0)
    planes = Diagonal(torch.tensor([[0.5, 2.0], [1.0, 4.0]]), normalize=False)
    torch.testing.assert_close(planes.eigenvalues(), torch.tensor([[0.5, 2.0], [1.0, 4.0]], dtype=torch.float64))
    assert planes.condition() == pytest.approx(8.0)
