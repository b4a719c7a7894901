"""What every sampler promises to any denoiser, schedule and covariance."""

import pytest
import torch
from analytic import PointMass, White
from contracts.found import functions
from seeds import seeded

from unveil.core.errors import ConfigError
from unveil.core.protocols import Denoiser
from unveil.core.random import Streams
from unveil.covariance import Dense, Identity, free_field
from unveil.samplers import (
    ancestral,
    annealed_langevin,
    consistent_annealed,
    ddim,
    predictor_corrector,
    probability_flow,
    reverse_sde,
)
from unveil.schedules import Discrete, GeometricVE, LinearVP, even

IMPLEMENTATIONS = {
    ddim: {"ddim": {}, "half stochastic": {"eta": 0.5}},
    ancestral: {"ancestral": {}, "large": {"variance": "large"}},
    consistent_annealed: {"consistent": {}},
    annealed_langevin: {"langevin": {"inner": 2}},
    reverse_sde: {"reverse sde": {}},
    predictor_corrector: {"corrected": {}},
    probability_flow: {"flow": {}, "adaptive flow": {"method": "rk45", "rtol": 1e-9, "atol": 1e-9}},
}
SAMPLERS = {name: (sampler, more) for sampler, cases in IMPLEMENTATIONS.items() for name, more in cases.items()}
ALL = pytest.mark.parametrize("name", SAMPLERS)
DRAWS_NOTHING = set(IMPLEMENTATIONS[probability_flow])
LINEAR, VP, VE = Discrete.linear(), LinearVP(), GeometricVE(0.01, 50, 232)
END = torch.zeros(1, dtype=torch.float64)


def walk(name, denoise, x, schedule, times, cov=None, generator=None, **more):
    """A sampler's answer; one whose noise is all in its start is told neither of the covariance nor of a generator."""
    sampler, options = SAMPLERS[name]
    drawn = {} if name in DRAWS_NOTHING else {"cov": cov or Identity(), "generator": generator}
    return sampler(denoise, x, schedule, times, **drawn, **(options | more))


def test_every_sampler_is_here():
    assert set(IMPLEMENTATIONS) == functions(
        "samplers", first=Denoiser, takes=("x", "schedule", "times", "clip"), gives=torch.Tensor
    )


@pytest.mark.parametrize("schedule", [LINEAR, VP, VE], ids=repr)
@ALL
def test_a_point_mass_is_found_exactly(name, schedule):
    mean = torch.linspace(-1, 1, 16, dtype=torch.float64).reshape(1, 4, 4)
    dense = Dense(torch.eye(16) + 0.5, root="cholesky")
    cases = ((Identity(), torch.float64, 1e-12), (free_field(4, 4), torch.float32, 1e-5), (dense, torch.float64, 1e-12))
    for cov, kind, tolerance in cases:
        x = cov.sqrt(torch.randn(3, 1, 4, 4, generator=seeded(), dtype=kind)) * float(schedule(END + 1)[1])
        times = torch.cat([even(19, 1.0, 0.01), END])
        exact = name == "adaptive flow" and kind == torch.float32  # at its tolerance it works in double precision
        x = x.double() if exact else x
        final = walk(name, PointMass(mean.to(x)).denoiser(), x, schedule, times, cov, seeded())
        torch.testing.assert_close(final, mean.to(x).expand(3, 1, 4, 4), rtol=0, atol=tolerance)


PATIENT = {"langevin": {"inner": 15, "h": 0.4}, "corrected": {"snr": 0.05}}
"""A corrector widens what it draws by about its steps, and levels must be left slowly by chains that follow them."""


@ALL
@pytest.mark.parametrize("schedule", [VP, GeometricVE(0.01, 10, 400)], ids=["vp", "ve"])
def test_gaussian_data_are_drawn_with_their_mean_and_spread(name, schedule):
    mean, var, steps = torch.linspace(-0.5, 0.5, 64).reshape(1, 8, 8), 0.25, 200 if name == "langevin" else 400
    x = torch.randn(500, 1, 8, 8, generator=seeded()) * float(schedule(END + 1)[1])
    times = even(steps - 1, 1.0, 1e-3) if schedule is VP else torch.arange(400, 0, -400 // steps) / 400
    denoise, more = White(mean, var, schedule).denoiser(), PATIENT.get(name, {})
    drawn = walk(name, denoise, x, schedule, torch.cat([times, END]), None, seeded(1), **more)
    torch.testing.assert_close(drawn.mean(0), mean, rtol=0, atol=0.09)  # four standard errors
    assert float((drawn - mean).var()) == pytest.approx(var, rel=0.06)


@pytest.mark.parametrize("schedule", [LINEAR, VE], ids=["vp", "ve"])
@ALL
def test_coloured_noise_is_white_noise_seen_through_its_root(name, schedule):
    """Sampling with R and denoiser R d(R^-1 x) equals R times sampling with white noise and d, draw for draw."""
    cov = free_field(4, 6)
    white = White(torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(1, 4, 6), 0.3, schedule).denoiser()
    z = torch.randn(3, 1, 4, 6, generator=seeded(), dtype=torch.float64) * float(schedule(END + 1)[1])
    times = torch.cat([even(30, 1.0, 0.02), END])
    plain = walk(name, white, z, schedule, times, Identity(), seeded(1))
    # The adaptive solver chooses its steps by errors in pixels, so its two runs agree to its tolerance only.
    tolerance = 1e-5 if name == "adaptive flow" else 1e-12 * float(z.abs().max())

    def seen_through(x, t):
        return cov.sqrt(white(cov.inv_sqrt(x), t))

    coloured = walk(name, seen_through, cov.sqrt(z), schedule, times, cov, seeded(1))
    torch.testing.assert_close(coloured, cov.sqrt(plain), rtol=1e-12, atol=tolerance)


def sharp(x_t, t):
    """A denoiser that is neither linear nor the same everywhere."""
    return torch.tanh(3 * x_t.roll(1, -1) - x_t)


TIMES = torch.cat([even(12, 1.0, 0.01), END])


@ALL
def test_a_sample_does_not_depend_on_its_batch(name):
    cov = free_field(4, 4)

    def draw(index):
        streams = Streams(5, index)
        x = cov.sqrt(streams.randn((len(index), 1, 4, 4)))
        return walk(name, sharp, x, VP, TIMES, cov, streams)

    whole = draw(range(20))
    for size in (1, 7):
        parts = torch.cat([draw(range(i, min(i + size, 20))) for i in range(0, 20, size)[:4]])
        torch.testing.assert_close(parts, whole[: len(parts)], rtol=0, atol=1e-5)


@ALL
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 4), (2, 5, 1, 4, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_type_are_kept_and_what_is_given_is_not_changed(name, dtype, shape):
    x = torch.randn(*shape, generator=seeded(), dtype=dtype)
    before = x.clone()
    drawn = walk(name, sharp, x, VP, TIMES, None, seeded(1))
    assert (drawn.shape, drawn.dtype) == (x.shape, dtype)
    assert torch.equal(x, before)
    assert not drawn.requires_grad


@ALL
def test_the_same_seed_gives_the_same_sample(name):
    x = torch.randn(2, 1, 4, 4, generator=seeded())
    first, again = (walk(name, sharp, x, VP, TIMES, None, seeded(1)) for _ in range(2))
    assert torch.equal(first, again)


@ALL
def test_it_says_how_far_it_has_come(name):
    said = []
    x = torch.randn(2, 1, 4, 4, generator=seeded())
    last = walk(name, sharp, x, VP, TIMES, None, seeded(1), watch=lambda *told: said.append(told))
    done, total, states = zip(*said, strict=True)
    assert list(done) == list(range(1, total[-1] + 1))
    assert set(total) == {len(done)}
    assert torch.equal(states[-1], last)


@ALL
def test_a_grid_that_does_not_descend_is_refused(name):
    with pytest.raises(ConfigError, match="descending"):
        walk(name, sharp, torch.zeros(1, 1, 2, 2), VP, torch.tensor([0.1, 0.5]))
