"""What every covariance promises, against its own dense matrix."""

import math
from itertools import chain

import pytest
import torch
from contracts.found import classes_with, functions

from unveil.core.protocols import Covariance
from unveil.covariance import Circulant, Dense, Diagonal, Identity, free_field, on_plane


def random_spd(n, seed=0):
    a = torch.randn(n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return a @ a.T / n + 0.1 * torch.eye(n, dtype=torch.float64)


VARIANCES = torch.linspace(0.5, 1.5, 20, dtype=torch.float64).reshape(4, 5)
IMPLEMENTATIONS = {
    Identity: {"identity": (Identity(), (5, 7))},
    Circulant: {"circulant": (Circulant(free_field(6, 6, 2.0).eigenvalues()), (6, 6))},
    Diagonal: {"diagonal": (Diagonal(VARIANCES), (4, 5))},
    Dense: {
        "symmetric root": (Dense(random_spd(12)), (3, 4)),
        "cholesky": (Dense(random_spd(12), root="cholesky"), (3, 4)),
    },
    free_field: {
        "free field": (free_field(8, 8), (8, 8)),
        "rectangle": (free_field(8, 12), (8, 12)),
        "odd": (free_field(7, 9, 0.5), (7, 9)),
        "mixed": (free_field(6, 5, 2.0), (6, 5)),
        "line": (free_field(1, 6), (1, 6)),
    },
    on_plane: {"on a larger plane": (on_plane(free_field(6, 6), 8, 10), (8, 10))},
}
CASES = dict(chain.from_iterable(cases.items() for cases in IMPLEMENTATIONS.values()))
ALL = pytest.mark.parametrize("name", CASES)


def dense(function, size):
    """The matrix of a linear function of a plane."""
    n = math.prod(size)
    return function(torch.eye(n, dtype=torch.float64).reshape(n, *size)).reshape(n, n).T


def linear_parts(cov):
    return (cov.sqrt, cov.sqrt_t, cov.inv_sqrt, cov.inv_sqrt_t, cov.apply, cov.solve)


def test_every_covariance_is_here():
    makers = (functions("covariance", gives=kind) for kind in (Covariance, *classes_with(Covariance)))
    assert set(IMPLEMENTATIONS) == classes_with(Covariance).union(*makers)


@ALL
def test_methods_agree_with_their_dense_matrices(name):
    cov, size = CASES[name]
    root, sig = dense(cov.sqrt, size), dense(cov.apply, size)
    eye = torch.eye(len(sig), dtype=torch.float64)
    close = dict(rtol=0, atol=1e-10)
    torch.testing.assert_close(root @ root.T, sig, **close)
    torch.testing.assert_close(dense(cov.sqrt_t, size), root.T, **close)
    torch.testing.assert_close(dense(cov.inv_sqrt, size) @ root, eye, **close)
    torch.testing.assert_close(dense(cov.inv_sqrt_t, size), dense(cov.inv_sqrt, size).T, **close)
    torch.testing.assert_close(dense(cov.solve, size) @ sig, eye, **close)
    assert float(cov.logdet()) == pytest.approx(float(torch.linalg.slogdet(sig)[1]), abs=1e-9)
    assert float(sig.diagonal().mean()) == pytest.approx(1, abs=1e-12)


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_type_are_kept_whatever_stands_before_the_plane(name, dtype):
    cov, size = CASES[name]
    for before in ((), (3,), (2, 3)):
        x = torch.ones(*before, *size, dtype=dtype)
        assert all(part(x).shape == x.shape and part(x).dtype == dtype for part in linear_parts(cov))


@ALL
def test_what_is_given_is_not_changed(name):
    cov, size = CASES[name]
    x = torch.randn(2, 1, *size, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    for part in linear_parts(cov):
        part(x)
    assert torch.equal(x, before)


@ALL
def test_samples_do_not_see_each_other(name):
    cov, size = CASES[name]
    z = torch.randn(5, 2, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for part in linear_parts(cov):
        alone = torch.cat([part(row) for row in z.split(1)])
        torch.testing.assert_close(part(z), alone, rtol=0, atol=1e-12)


@ALL
def test_gradients_pass_through(name):
    cov, size = CASES[name]
    z = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    for part in linear_parts(cov):
        assert torch.autograd.gradcheck(part, (z,))


@ALL
def test_the_device_follows_the_noise(name):
    cov, size = CASES[name]
    z = torch.zeros(2, 1, *size, device="meta")
    assert all(part(z).device == z.device for part in linear_parts(cov))
