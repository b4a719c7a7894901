"""What every solver of inverse problems promises, with Gaussian images whose best restoration is known."""

import math

import pytest
import torch
from contracts.found import functions
from gaussian_images import OPERATORS, SHAPE, D, GaussianPrior
from seeds import seeded

from unveil.core.errors import ConfigError, DataError
from unveil.core.protocols import Prior
from unveil.core.random import Streams
from unveil.inverse import ddrm, douglas_rachford, half_quadratic, posterior_sampling

IMPLEMENTATIONS = {
    ddrm: {},
    douglas_rachford: {"lam": 50.0, "alpha": 0.5, "levels": [8]},
    half_quadratic: {},
    posterior_sampling: {"spread": 1.0},
}
"""Each with what suits these images."""
SOLVERS = pytest.mark.parametrize("solver", IMPLEMENTATIONS, ids=lambda solver: solver.__name__)
SIGMAS = tuple(torch.logspace(math.log10(0.01), 1, 20, dtype=torch.float64).tolist())
NOISE = 0.05


@pytest.fixture(scope="module")
def prior():
    """Images that vary much along a few directions and hardly along the others, so that a part tells of the rest."""
    basis, _ = torch.linalg.qr(torch.randn(D, D, generator=seeded(1), dtype=torch.float64))
    spread = torch.logspace(0, -12, D, dtype=torch.float64)
    return GaussianPrior(torch.linspace(-0.3, 0.3, D, dtype=torch.float64), (basis * spread) @ basis.T, SIGMAS)


def measured(prior, operator, n=30):
    x = torch.cat([prior.image(seed) for seed in range(n)])
    y = operator.forward(x)
    return x, y + NOISE * torch.randn(y.shape, generator=seeded(), dtype=y.dtype)


def run(solver, prior, y, operator, **more):
    return solver(prior, y, operator, **{"sigma_y": NOISE, **IMPLEMENTATIONS[solver], **more})


def test_every_solver_is_here():
    assert set(IMPLEMENTATIONS) == functions("inverse", first=Prior, takes=("y", "operator", "generator"))


@SOLVERS
@pytest.mark.parametrize("name", OPERATORS)
def test_what_is_restored_is_nearer_to_the_truth_than_without_a_prior(solver, name, prior):
    operator = OPERATORS[name]
    x, y = measured(prior, operator)
    found = run(solver, prior, y, operator, generator=Streams(0, len(y)))
    assert found.shape == x.shape
    assert found.dtype == x.dtype
    plain = operator.pinv(y) if name != "blur" else operator.prox(torch.zeros_like(x), y, 0.3 / NOISE**2)
    error, before = (float((guess - x).square().mean()) for guess in (found, plain))
    assert error < before


@SOLVERS
@pytest.mark.parametrize("name", ["mask", "downsample"])
def test_it_explains_the_measurement(solver, name, prior):
    operator = OPERATORS[name]
    _, y = measured(prior, operator)
    found = run(solver, prior, y, operator, generator=Streams(0, len(y)))
    assert float((operator.forward(found) - y).square().mean().sqrt()) < 3 * NOISE


@SOLVERS
def test_an_image_does_not_depend_on_its_batch(solver, prior):
    operator = OPERATORS["mask"]
    _, y = measured(prior, operator, n=5)
    whole = run(solver, prior, y, operator, generator=Streams(1, 5))
    for i in range(5):
        alone = run(solver, prior, y[i : i + 1], operator, generator=Streams(1, [i]))
        torch.testing.assert_close(alone, whole[i : i + 1], rtol=0, atol=1e-8)


@SOLVERS
def test_the_same_seed_gives_the_same_image_and_the_measurement_stays(solver, prior):
    operator = OPERATORS["mask"]
    _, y = measured(prior, operator, n=3)
    before = y.clone()
    first, again = (run(solver, prior, y, operator, generator=seeded(2)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(y, before)
    assert not first.requires_grad


@SOLVERS
def test_it_says_how_far_it_has_come(solver, prior):
    said, shown = [], []
    operator = OPERATORS["mask"]
    _, y = measured(prior, operator, n=2)
    told = {"progress": lambda *step: said.append(step), "watch": lambda *step: shown.append(step)}
    run(solver, prior, y, operator, generator=seeded(), **told)
    assert said == [(k, len(said)) for k in range(1, len(said) + 1)]
    assert [step[:2] for step in shown] == said
    assert all(step[2].shape == (2, *SHAPE) for step in shown)


@SOLVERS
def test_what_cannot_be_measured_is_refused(solver, prior):
    operator = OPERATORS["mask"]
    _, y = measured(prior, operator, n=2)
    with pytest.raises(ConfigError, match="sigma_y"):
        run(solver, prior, y, operator, sigma_y=-1.0)
    with pytest.raises(DataError, match="NaN"):
        run(solver, prior, y * math.nan, operator)
    with pytest.raises(DataError, match="floating point"):
        run(solver, prior, y.long(), operator)
    with pytest.raises(DataError, match=r"127\.5"):
        run(solver, prior, y * 255, operator)
