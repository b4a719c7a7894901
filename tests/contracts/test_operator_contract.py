"""What every operator promises, against its own dense matrix."""

from itertools import chain
from typing import NamedTuple

import pytest
import torch
from contracts.found import classes_with
from operators.cases import HOLES, SKEW, SMALL, matrix_of, numbers

from unveil.core.protocols import Operator
from unveil.inverse.borders import Bordered
from unveil.operators import (
    LUMA,
    Blur,
    Compose,
    Dense,
    Downsample,
    General,
    Grayscale,
    Identity,
    Mask,
    Sensing,
    SeparableBlur,
    Stack,
    check_adjoint,
    gaussian_kernel,
    motion_kernel,
)
from unveil.operators.periodic import Periodic


class Case(NamedTuple):
    """An operator, the shape (C, H, W) of the images it is tried on, whether it iterates, and whether it is exact."""

    operator: Operator
    shape: tuple[int, int, int]
    iterated: bool = False
    exact: bool = True


LAMBDAS = (0.01, 1.0, 100.0)
LOW_RANK = numbers(9, 4, seed=1) @ numbers(4, 72, seed=2)
IMPLEMENTATIONS = {
    Identity: {"identity": Case(Identity(), (3, 4, 6))},
    Downsample: {
        "downsample 2": Case(Downsample(2), (3, 4, 6)),
        "downsample 4": Case(Downsample(4), (2, 8, 4)),
    },
    Grayscale: {
        "grayscale": Case(Grayscale(), (3, 5, 4)),
        "luma": Case(Grayscale(LUMA), (3, 4, 5)),
    },
    Mask: {
        "mask": Case(Mask(HOLES), (3, 4, 6)),
        "mask of one channel": Case(Mask(HOLES[None]), (2, 4, 6)),
        "mask of each channel": Case(Mask(numbers(3, 4, 6) > 0.5), (3, 4, 6)),
        "soft mask": Case(Mask(HOLES * numbers(4, 6, seed=3)), (3, 4, 6)),
    },
    Blur: {
        "blur": Case(Blur(SKEW), (2, 5, 6)),
        "blur of even sides": Case(Blur(SKEW), (1, 4, 8)),
        "random blur": Case(Blur(numbers(5, 4)), (3, 6, 5)),
        "motion blur": Case(Blur(motion_kernel(4, 30)), (1, 6, 7)),
        "blur that loses frequencies": Case(Blur(torch.full((2, 2), 0.25)), (2, 4, 6)),
    },
    SeparableBlur: {"separable blur": Case(SeparableBlur(SKEW[1], SKEW[:, 1], (4, 6)), (3, 4, 6))},
    Sensing: {
        "sensing": Case(Sensing((4, 8), 0.4, seed=1), (2, 4, 8)),
        "sensing by hartley": Case(Sensing((5, 6), 0.5, transform="hartley"), (3, 5, 6)),
    },
    Dense: {
        "dense": Case(Dense(numbers(30, 24) - 0.5, (1, 4, 6)), (1, 4, 6)),
        "dense and wide": Case(Dense(numbers(9, 72) - 0.5, (3, 4, 6)), (3, 4, 6)),
        "dense of low rank": Case(Dense(LOW_RANK, (3, 4, 6)), (3, 4, 6)),
    },
    Compose: {
        "grey and small": Case(Compose(Downsample(2), Grayscale()), (3, 4, 6)),
        "grey with holes": Case(Compose(Grayscale(), Mask(HOLES * numbers(4, 6, seed=3))), (3, 4, 6)),
        "blurred and grey": Case(Compose(Blur(SKEW), Grayscale(LUMA)), (3, 5, 6)),
        "small and blurred": Case(Compose(Downsample(2), Blur(SKEW)), (2, 6, 8)),
        "blurred and small": Case(Compose(Blur(gaussian_kernel(0.7)), Downsample(2)), (2, 8, 12)),
        "blurred, small, blurred and grey": Case(
            Compose(Compose(Blur(SKEW), Downsample(2)), Identity(), Blur(SMALL[2:3, 1:-1]), Grayscale()), (3, 8, 10)
        ),
        "blurred twice": Case(Compose(Blur(SKEW), Blur(SMALL)), (1, 5, 7)),
        "small and sensed": Case(Compose(Downsample(2), Sensing((2, 4), 0.5)), (3, 4, 8)),
        "nothing": Case(Compose(Identity()), (3, 4, 6)),
        "blurred with holes": Case(Compose(Blur(SKEW), Mask(HOLES), shape=(2, 4, 6)), (2, 4, 6), True),
        "small, holes and blurred": Case(
            Compose(Downsample(2), Mask(HOLES), Blur(SKEW), shape=(1, 8, 12)), (1, 8, 12), True
        ),
    },
    Stack: {
        "stack": Case(Stack(Downsample(2), Grayscale(), Mask(HOLES), shape=(3, 4, 6)), (3, 4, 6), True),
        "stack of blurs": Case(
            Stack(Blur(SKEW), Compose(Blur(SMALL[:4, :4]), Mask(HOLES)), shape=(2, 4, 6)), (2, 4, 6), True
        ),
    },
    General: {
        "difference by autograd": Case(
            General(lambda x: x[..., 1:] - 0.5 * x[..., :-1], (2, 4, 6), dtype=torch.float64), (2, 4, 6), True
        ),
        "cumulative sum": Case(
            General(lambda x: x.cumsum(-1), (1, 3, 5), lambda y: y.flip(-1).cumsum(-1).flip(-1), dtype=torch.float64),
            (1, 3, 5),
            True,
        ),
    },
    Periodic: {"blur, smaller, blur": Case(Periodic([Blur(SKEW), Downsample(2), Blur(SMALL[2:3, 1:-1])]), (2, 8, 10))},
    Bordered: {"blur that ends at borders": Case(Bordered(Blur(SKEW), HOLES), (2, 4, 6), exact=False)},
}
CASES = dict(chain.from_iterable(cases.items() for cases in IMPLEMENTATIONS.values()))
ALL = pytest.mark.parametrize("name", CASES)
EXACT = pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.exact])
"""Operators of which more than forward, adjoint and norm is exact."""


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


def test_every_operator_is_here():
    assert set(IMPLEMENTATIONS) == classes_with(Operator)
    assert all(type(case.operator) is kind for kind, cases in IMPLEMENTATIONS.items() for case in cases.values())


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


@EXACT
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


@EXACT
def test_the_proximal_step_in_single_precision(name):
    case = CASES[name]
    v, y = draw(case, dtype=torch.float32)
    for lam in LAMBDAS:
        p = case.operator.prox(v, y, lam)
        slope = p - v + lam * case.operator.adjoint(case.operator.forward(p) - y)
        assert norm(slope) < 1e-5 * (norm(v) + lam * norm(case.operator.adjoint(y)))


@EXACT
def test_the_pseudo_inverse_is_the_dense_one(name):
    case = CASES[name]
    _, y = draw(case)
    inverse = torch.linalg.pinv(matrix_of(case.operator, case.shape), rtol=1e-6)
    expected = (y.flatten(1) @ inverse.T).reshape(3, *case.shape)
    assert norm(case.operator.pinv(y) - expected) < (1e-8 if case.iterated else 1e-11) * norm(expected)


@EXACT
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_measuring_the_pseudo_inverse_gives_the_measurement_back(name, dtype, tolerance):
    case = CASES[name]
    y = case.operator.forward(draw(case, dtype=dtype)[0])
    assert norm(case.operator.forward(case.operator.pinv(y)) - y) < tolerance * norm(y)


@EXACT
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
def test_the_norm_is_no_less_than_the_largest_singular_value(name):
    case = CASES[name]
    assert case.operator.norm() >= (1 - 1e-4) * torch.linalg.matrix_norm(matrix_of(case.operator, case.shape), 2)


@ALL
def test_the_proximal_step_lowers_what_it_is_to_lower(name):
    case = CASES[name]
    v, y = draw(case)

    def objective(x, lam):
        return lam / 2 * norm(case.operator.forward(x) - y) ** 2 + norm(x - v) ** 2 / 2

    for lam in LAMBDAS:
        assert objective(case.operator.prox(v, y, lam), lam) <= objective(v, lam)


@EXACT
def test_the_norm_is_the_largest_singular_value(name):
    case = CASES[name]
    expected = float(torch.linalg.matrix_norm(matrix_of(case.operator, case.shape), 2))
    both_signs = "blur" in name and not case.iterated
    assert case.operator.norm() == pytest.approx(expected, rel=0.05 if both_signs else 1e-4)


@ALL
def test_gradients_pass_through(name):
    case = CASES[name]
    v, y = draw(case)
    x = v.clone().requires_grad_()
    (slope,) = torch.autograd.grad((case.operator.forward(x) * y).sum(), x)
    torch.testing.assert_close(slope, case.operator.adjoint(y))


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
