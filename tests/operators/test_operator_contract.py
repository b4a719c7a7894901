"""What every operator promises, against its own dense matrix."""

import pytest
import torch
from operators.cases import CASES, matrix_of

from unveil.core.protocols import Operator
from unveil.operators import check_adjoint

LAMBDAS = (0.01, 1.0, 100.0)
ALL = pytest.mark.parametrize("name", CASES)


def draw(case, *, dtype=torch.float64, seed=0):
    """An image v, and a measurement y that no image need have."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(3, *case.shape, generator=generator, dtype=torch.float64).to(dtype)
    measured = case.operator.forward(v)
    return v, torch.randn(measured.shape, generator=generator, dtype=torch.float64).to(dtype)


def norm(x):
    return float(x.double().norm())


def dense_svd(case):
    u, s, vt = torch.linalg.svd(matrix_of(case.operator, case.shape), full_matrices=True)
    full = torch.zeros(len(vt), dtype=s.dtype)
    full[: len(s)] = s * (s > 1e-6 * s[0])
    return u, full, vt


@ALL
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_the_adjoint_is_the_adjoint(name, dtype, tolerance):
    case = CASES[name]
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        assert check_adjoint(case.operator, (2, *case.shape), generator, dtype=dtype) < tolerance


@ALL
def test_shape_and_type_and_batch(name):
    case = CASES[name]
    for dtype in (torch.float32, torch.float64):
        v, y = draw(case, dtype=dtype)
        operator = case.operator
        answers = [operator.adjoint(y), operator.pinv(y), operator.prox(v, y, 1.0)]
        answers.append(operator.filtered(v, lambda s: 1 / (1 + s)))
        assert all(answer.shape == v.shape and answer.dtype == dtype for answer in answers)
        assert y.dtype == dtype
    alone = operator.prox(v[1:2], y[1:2], 1.0)
    torch.testing.assert_close(alone, answers[2][1:2], rtol=1e-9, atol=1e-9)


@ALL
def test_the_proximal_step_is_optimal(name):
    case = CASES[name]
    v, y = draw(case)
    for lam in LAMBDAS:
        p = case.operator.prox(v, y, lam)
        slope = p - v + lam * case.operator.adjoint(case.operator.forward(p) - y)
        scale = norm(v) + lam * norm(case.operator.adjoint(y))
        assert norm(slope) < (1e-8 if case.iterated else 1e-13) * scale

        def objective(x, lam=lam):
            return lam / 2 * norm(case.operator.forward(x) - y) ** 2 + norm(x - v) ** 2 / 2

        generator, least = torch.Generator().manual_seed(2), objective(p)
        for _ in range(20):
            step = torch.randn(v.shape, generator=generator, dtype=v.dtype)
            assert objective(p + 1e-3 * step) > least


@ALL
def test_the_proximal_step_in_single_precision(name):
    case = CASES[name]
    v, y = draw(case, dtype=torch.float32)
    for lam in LAMBDAS:
        p = case.operator.prox(v, y, lam)
        slope = p - v + lam * case.operator.adjoint(case.operator.forward(p) - y)
        assert norm(slope) < 1e-5 * (norm(v) + lam * norm(case.operator.adjoint(y)))


@ALL
def test_the_pseudo_inverse_is_the_dense_one(name):
    case = CASES[name]
    _, y = draw(case)
    inverse = torch.linalg.pinv(matrix_of(case.operator, case.shape), rtol=1e-6)
    expected = (y.flatten(1) @ inverse.T).reshape(3, *case.shape)
    assert norm(case.operator.pinv(y) - expected) < (1e-8 if case.iterated else 1e-11) * norm(expected)


@ALL
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_measuring_the_pseudo_inverse_gives_the_measurement_back(name, dtype, tolerance):
    case = CASES[name]
    y = case.operator.forward(draw(case, dtype=dtype)[0])
    assert norm(case.operator.forward(case.operator.pinv(y)) - y) < tolerance * norm(y)


@ALL
@pytest.mark.parametrize(
    "gain", [lambda s: 1 / (1 + 3 * s**2), lambda s: (s > 0).to(s.dtype), lambda s: torch.where(s > 0.3, 2 - s, s + 1)]
)
def test_filters_follow_the_singular_values(name, gain):
    case = CASES[name]
    v, _ = draw(case)
    _, s, vt = dense_svd(case)
    expected = ((v.flatten(1) @ vt.T) * gain(s)) @ vt
    filtered = case.operator.filtered(v, gain)
    assert norm(filtered.flatten(1) - expected) < 1e-8 * norm(v)
    single = case.operator.filtered(v.float(), gain)
    assert norm(single.flatten(1) - expected) < 1e-4 * norm(v)


@ALL
def test_the_norm_is_the_largest_singular_value(name):
    case = CASES[name]
    expected = float(torch.linalg.matrix_norm(matrix_of(case.operator, case.shape), 2))
    both_signs = "blur" in name and not case.iterated
    assert case.operator.norm() >= expected * (1 - 1e-4)
    assert case.operator.norm() == pytest.approx(expected, rel=0.05 if both_signs else 1e-4)


@ALL
def test_gradients_pass_through(name):
    case = CASES[name]
    v, y = draw(case)
    x = v.clone().requires_grad_()
    (slope,) = torch.autograd.grad((case.operator.forward(x) * y).sum(), x)
    torch.testing.assert_close(slope, case.operator.adjoint(y))


@ALL
def test_it_is_an_operator(name):
    operator: Operator = CASES[name].operator
    assert all(callable(getattr(operator, method)) for method in vars(Operator) if not method.startswith("_"))


@ALL
def test_the_device_follows_the_images(name):
    case = CASES[name]
    x = torch.zeros(2, *case.shape, device="meta")
    y = case.operator.forward(x)
    assert y.device == x.device
    assert case.operator.adjoint(y).device == x.device
    if not case.iterated:
        assert case.operator.prox(x, y, 1.0).device == x.device
        assert case.operator.pinv(y).device == x.device
        assert case.operator.filtered(x, torch.exp).device == x.device
