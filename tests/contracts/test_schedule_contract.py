"""What every schedule promises: t = 0 is data, noise only grows, and the rates are those of the path."""

import pytest
import torch
from contracts.found import classes_with

from unveil.core.protocols import Schedule
from unveil.models.diffusion.sampling import Tabulated
from unveil.schedules import Discrete, GeometricVE, LinearVP

MIDDLE = torch.linspace(0.02, 1, 50, dtype=torch.float64)
IMPLEMENTATIONS = {
    Discrete: [Discrete.linear(), Discrete.cosine(100), Discrete.linear(50)],
    GeometricVE: [GeometricVE(0.01, 50, 232), GeometricVE(0.01, 10, 50)],
    LinearVP: [LinearVP(), LinearVP(0.2, 15.0)],
    Tabulated: [Tabulated(LinearVP(), MIDDLE), Tabulated(Discrete.linear(), MIDDLE)],
}
ALL = pytest.mark.parametrize(
    "schedule", [pytest.param(case, id=kind.__name__) for kind, cases in IMPLEMENTATIONS.items() for case in cases]
)


def test_every_schedule_is_here():
    assert set(IMPLEMENTATIONS) == classes_with(Schedule)
    assert all(isinstance(case, kind) for kind, cases in IMPLEMENTATIONS.items() for case in cases)


@ALL
def test_it_begins_at_data(schedule):
    alpha, sigma = schedule(torch.zeros((), dtype=torch.float64))
    assert float(alpha) == pytest.approx(1, abs=1e-12)
    assert float(sigma) == pytest.approx(0, abs=1e-12)


@ALL
def test_noise_only_grows_beside_the_data(schedule):
    alpha, sigma = schedule(torch.linspace(0, 1, 300, dtype=torch.float64))
    assert bool((alpha > 0).all())
    assert bool((alpha <= 1).all())
    assert bool(((sigma / alpha).diff() > 0).all())


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3)])
def test_shape_and_type_are_those_of_the_times(schedule, dtype, shape):
    t = torch.full(shape, 0.5, dtype=dtype)
    for values in (schedule(t), schedule.rates(t)):
        assert all(value.shape == shape and value.dtype == dtype for value in values)


@ALL
def test_times_do_not_influence_one_another(schedule):
    together, alone = schedule(MIDDLE), [schedule(t) for t in MIDDLE]
    for i in range(2):
        torch.testing.assert_close(together[i], torch.stack([values[i] for values in alone]), rtol=1e-12, atol=0)


@ALL
def test_the_rates_are_those_of_the_path(schedule):
    """f = d log alpha / dt and g2 = d sigma^2 / dt - 2 f sigma^2, by differences over a step of a chain."""
    width = 1 / (getattr(schedule, "steps", None) or 1e6)
    if isinstance(schedule, Tabulated):
        width = 1e-3
    t = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64)
    (drift, diffusion), sigma = schedule.rates(t), schedule(t)[1]
    (low_alpha, low_sigma), (high_alpha, high_sigma) = schedule(t - width), schedule(t + width)
    torch.testing.assert_close((high_alpha / low_alpha).log() / (2 * width), drift, rtol=0.05, atol=1e-6)
    rise = (high_sigma**2 - low_sigma**2) / (2 * width)
    torch.testing.assert_close(rise - 2 * drift * sigma**2, diffusion, rtol=0.05, atol=1e-6)
