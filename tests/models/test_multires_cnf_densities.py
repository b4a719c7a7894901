"""Flows whose density is known, and what adds up to it."""

import math

import pytest
import torch
from flow_models import EXACT, VARIANTS, Affine, drawn, levels_of, one_flow, pixels, small
from torch import nn

from unveil.core.errors import DataError
from unveil.core.random import Streams
from unveil.models.multires_cnf import (
    Levels,
    MultiResolutionCNF,
    Pyramid,
    ResolutionFlow,
)
from unveil.models.multires_cnf.preprocessing import logit, unlogit
from unveil.ode import Solver
from unveil.pyramids import PatchTransform


class Bent(nn.Module):
    def __init__(self, numbers, seed=0):
        super().__init__()
        self.first = nn.Parameter(drawn(16, numbers + 1, seed=seed))
        self.last = nn.Parameter(drawn(numbers, 16, seed=seed + 1) / 4)

    def forward(self, t, v, condition=None):
        flat = v.flatten(1)
        time = t.to(flat).reshape(-1, 1).expand(len(flat), 1)
        return (torch.tanh(torch.cat([flat, time], 1) @ self.first.T) @ self.last.T).reshape(v.shape)


def density(model, x, **options):
    """ln p of numbers that need not lie in [-1, 1], for flows without preprocessing."""
    levels = [model.pyramid.levels(torch.zeros_like(x))[-1]]
    found = model.flow(1).encode(x, solver=options.pop("solver", EXACT), probe="exact", **options)
    return model.nats_of(levels[0], found)


@pytest.mark.parametrize(
    ("solver", "bound"),
    [
        (Solver(rtol=1e-3, atol=1e-3), 5e-3),
        (Solver(rtol=1e-5, atol=1e-5), 2e-4),
        (Solver(rtol=1e-8, atol=1e-8), 1e-6),
        (Solver("rk4", steps=4), 1e-3),
        (Solver("rk4", steps=10), 2e-5),
    ],
)
def test_the_density_of_a_linear_flow_is_gaussian(solver, bound):
    matrix, offset, x = drawn(6, 6) / 2, drawn(6, seed=1), drawn(20, 6, seed=2)
    grown = torch.linalg.matrix_exp(matrix)
    back = torch.linalg.inv(grown)
    mean = -back @ torch.linalg.solve(matrix, (grown - torch.eye(6).double()) @ offset)
    truth = torch.distributions.MultivariateNormal(mean, covariance_matrix=back @ back.T).log_prob(x)
    model = one_flow(Affine(matrix, offset=offset), (6, 1, 1))
    found = density(model, x.reshape(20, 6, 1, 1), solver=solver)
    assert float((found.detach() - truth).abs().max()) < bound


def test_a_density_integrates_to_one():
    model = one_flow(Bent(2), (2, 1, 1))
    axis = torch.linspace(-12, 12, 241, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis).reshape(-1, 2, 1, 1)
    with torch.no_grad():
        total = density(model, grid, solver=Solver("rk4", steps=4)).exp().sum() * float(axis[1] - axis[0]) ** 2
    assert float(total) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_parts_of_the_likelihood_add_up_to_that_of_the_whole(variant):
    """A 2 x 2 image, its coarse pixel and its details carried by linear flows: the joint density is a Gaussian's."""
    a, matrix, told = 0.3, drawn(3, 3) / 2, drawn(3, 1, seed=1)
    transform = PatchTransform(variant)
    pyramid = Pyramid((1, 2, 2), 2, transform, logit="none")
    flows = [
        ResolutionFlow([Affine(matrix, told)], 3, 1, standardise=False),
        ResolutionFlow([Affine(torch.tensor([[a]]).double())], 1, standardise=False),
    ]
    model = MultiResolutionCNF(pyramid, flows, solver=EXACT).double()
    u = drawn(10, 1, 2, 2, seed=2, kind=torch.rand)
    parts, _, _ = model.terms(2 * u - 1, trace="exact")

    grown = torch.linalg.matrix_exp(matrix)
    whole = torch.zeros(4, 4, dtype=torch.float64)
    whole[:3, :3] = grown
    whole[:3, 3:] = torch.linalg.solve(matrix, (grown - torch.eye(3).double()) @ told) / transform.gain  # told the mean
    whole[3, 3] = math.exp(a)
    carry = whole @ transform.matrix()
    back = torch.linalg.inv(carry)
    truth = torch.distributions.MultivariateNormal(torch.zeros(4).double(), covariance_matrix=back @ back.T)
    torch.testing.assert_close(parts.sum(0), truth.log_prob(u.flatten(1)), rtol=0, atol=1e-7)


def test_random_probes_average_to_the_exact_trace():
    model, x = small(), pixels(1)
    exact = model.log_likelihood(x, trace="exact").nats
    many = model.log_likelihood(x.expand(200, 1, 8, 8), trace="hutchinson", generator=Streams(0, 200)).nats
    assert float(many.mean()) == pytest.approx(float(exact), abs=4 * float(many.std()) / math.sqrt(200))
    assert abs(float(many.mean() - exact)) / (64 * math.log(2)) < 0.02  # bits per dimension


def test_bits_of_pixels_that_are_all_alike_likely():
    """A flow that moves nothing gives noise the density of a Gaussian; that of a uniform one is counted by hand."""
    model = small(1, logit="none", standardise=False)
    for value in model.parameters():
        value.data.zero_()
    x = pixels(3)
    normal = -((((x + 1) / 2) ** 2).flatten(1).sum(1) + 64 * math.log(2 * math.pi)) / 2
    found = model.log_likelihood(x)
    torch.testing.assert_close(found.nats, normal - 64 * math.log(2))
    bits = -normal / (64 * math.log(2)) + 8
    torch.testing.assert_close(found.bits_per_dim(), bits)
    even = type(found)(torch.tensor([-64 * math.log(2)]), x[:1], 0)
    assert float(even.bits_per_dim()) == pytest.approx(8)
    assert float(even.bits_per_dim(levels=32)) == pytest.approx(5)


@pytest.mark.parametrize("place", ["coarsest", "finest"])
def test_the_determinant_of_preprocessing_is_that_of_its_jacobian(place):
    pyramid = Pyramid((1, 4, 4), 2, PatchTransform("orthonormal"), place)
    u = drawn(16, kind=torch.rand) * 0.9 + 0.05

    def split(flat):
        return torch.cat([level.state.flatten() for level in pyramid.levels(flat.reshape(1, 1, 4, 4))])

    found = sum(float(level.change) for level in pyramid.levels(u.reshape(1, 1, 4, 4)))
    jacobian = torch.autograd.functional.jacobian(split, u)
    assert found == pytest.approx(float(torch.linalg.slogdet(jacobian)[1]), abs=1e-8)
    x = drawn(3, 1, 4, 4, kind=torch.rand)
    torch.testing.assert_close(unlogit(logit(x, 0.05)[0], 0.05), x)


@pytest.mark.parametrize("place", ["coarsest", "none"])
def test_transforms_with_the_same_weights_are_the_same_density(place):
    """They differ by fixed factors, which scaling takes away."""
    x, found = pixels(), []
    for variant in VARIANTS:
        model = small(3, transform=variant, logit=place)
        batch = model.pyramid.levels((pixels(50, seed=9) + 1) / 2)
        for flow, level in zip(model.flows, batch, strict=True):
            flow.settle(level.state, level.condition)
        found.append(model.log_likelihood(x, trace="exact", solver=EXACT).nats)
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(found[2], found[0], rtol=0, atol=1e-6)


def test_likelihoods_do_not_depend_on_the_batch():
    model, x = small(), pixels(5)
    for solver in (Solver("rk4", steps=3), Solver()):
        together = model.log_likelihood(x, generator=Streams(0, 5), trace="hutchinson", solver=solver).nats
        for i in range(5):
            alone = model.log_likelihood(
                x[i : i + 1], generator=Streams(0, [i]), trace="hutchinson", solver=solver
            ).nats
            torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("data", "bits"), [(256, None), (256, 5), (17, None), (256, 8), (2, None)])
def test_levels_are_found_again(data, bits):
    levels = Levels(data, bits)
    numbers = torch.arange(data).repeat(20).reshape(1, 1, 20, -1)
    x = numbers.double() * 2 / (data - 1) - 1
    u = levels.dequantise(x, torch.Generator().manual_seed(0))
    assert 0 <= float(u.min()) < float(u.max()) < 1
    kept = numbers if bits is None else numbers // (data // 2**bits)
    assert torch.equal(((levels.quantise(u) + 1) / 2 * (levels.count - 1)).round(), kept.double())


def test_pixels_of_other_levels_are_refused():
    with pytest.raises(DataError, match=r"model\.levels"):
        Levels(17).dequantise(levels_of())


@pytest.mark.parametrize(
    ("variant", "place"), [("unimodular", "coarsest"), ("haar", "finest"), ("orthonormal", "none")]
)
def test_the_density_is_that_of_the_way_to_noise(variant, place):
    """Differences of `encode` give its Jacobian, conditions, logits, scales and all blocks included."""
    model = small(2, 4, blocks=2, transform=variant, logit=place, noise="unit", solver=EXACT)
    for flow, level in zip(model.flows, model.pyramid.levels((pixels(30, 4, seed=9) + 1) / 2), strict=True):
        flow.settle(level.state, level.condition)
    x, h = 0.8 * pixels(1, 4), 1e-5
    aside = h * torch.eye(16).double().reshape(16, 1, 4, 4)
    ends = [torch.cat([z.flatten(1) for z in model.encode(at)], 1) for at in (x + aside, x - aside, x)]
    jacobian, (z,) = (ends[0] - ends[1]) / (2 * h), ends[2]
    truth = torch.linalg.slogdet(jacobian)[1] - (z.square().sum() + 16 * math.log(2 * math.pi)) / 2
    assert float(model.log_likelihood(x, trace="exact").nats) == pytest.approx(float(truth), abs=1e-5)
