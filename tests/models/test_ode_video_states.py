"""States along an ODE: at any times, there and back, shared by a batch or not."""

import pytest
import torch
from path_models import DOPRI5, RK4, lively, model
from seeds import seeded

from unveil.core.errors import ConfigError, ShapeError
from unveil.models.ode_video.path import states_at
from unveil.networks.latent_dynamics import LatentDynamics
from unveil.ode import Solver, solve


@pytest.mark.parametrize(("solver", "exact", "back"), [(DOPRI5, 1e-4, 2e-4), (RK4, 1e-5, 1e-5)])
def test_a_linear_field_is_solved_at_all_times_there_and_back(solver, exact, back):
    a = torch.randn(6, 6, generator=seeded()).double()
    a = a / torch.linalg.matrix_norm(a, 2) / 19  # of norm 1 over a clip of 20 frames
    z = torch.randn(4, 6, generator=seeded(1)).double()
    z = z / z.norm(dim=1, keepdim=True)
    times = torch.tensor([-3.0, -0.4, 0, 0.25, 1, 7.5, 19]).double()

    def field(t, z):
        return z @ a.T

    found, _ = states_at(field, z, torch.zeros(4).double(), times, solver)
    wanted = torch.stack([z @ torch.linalg.matrix_exp(a * t).T for t in times], 1)
    assert (found - wanted).abs().max() < exact
    home, _ = states_at(field, found[:, -1], torch.full((4,), 19.0).double(), torch.zeros(1).double(), solver)
    assert (home[:, 0] - z).abs().max() < back


def test_a_state_does_not_depend_on_which_other_times_are_asked_for():
    field, z, start = lively(), 1.5 * torch.randn(3, 8, generator=seeded()).double() / 2, torch.zeros(3).double()
    few = torch.tensor([0.0, 3, 7.3, 12]).double()
    many = torch.cat([few, torch.arange(60).double() / 5]).sort().values
    rows = torch.searchsorted(many, few)
    for solver, near in ((RK4, 0), (DOPRI5, 1e-2)):
        a, b = states_at(field, z, start, few, solver)[0], states_at(field, z, start, many, solver)[0][:, rows]
        assert (a - b).abs().max() <= near
    through = states_at(field, z, start, torch.tensor([5.0]).double(), RK4)[0][:, 0]
    onward = states_at(field, through, torch.full((3,), 5.0).double(), torch.tensor([12.0]).double(), RK4)[0]
    torch.testing.assert_close(onward[:, 0], states_at(field, z, start, few, RK4)[0][:, -1])


def test_between_frames_the_path_is_smooth_and_no_straight_line():
    field, z, start = lively(), 1.5 * torch.randn(3, 8, generator=seeded()).double() / 2, torch.zeros(3).double()
    times = torch.arange(1, 190).double() / 10
    exact = states_at(field, z, start, times, Solver("dopri5", rtol=1e-10, atol=1e-10))[0]
    found = states_at(field, z, start, times, RK4)[0]
    assert (found - exact).abs().max() < 5e-3
    ends = states_at(field, z, start, torch.arange(20).double(), RK4)[0]
    low = times.floor().long().clamp(max=18)
    straight = torch.lerp(ends[:, low], ends[:, low + 1], (times - low)[:, None])
    assert (straight - exact).abs().max() > 3 * (found - exact).abs().max()


def test_a_path_leads_back_to_where_it_began():
    field, z = lively(), 1.5 * torch.randn(3, 8, generator=seeded()).double() / 2
    solver = Solver("dopri5", rtol=1e-6, atol=1e-6)
    there = states_at(field, z, torch.zeros(3).double(), torch.tensor([19.0]).double(), solver)[0][:, 0]
    back = states_at(field, there, torch.full((3,), 19.0).double(), torch.zeros(1).double(), solver)[0][:, 0]
    assert (back - z).abs().max() < 5e-3


@pytest.mark.parametrize("solver", [Solver("dopri5", rtol=1e-8, atol=1e-8), Solver("rk4", steps=8)])
def test_every_sample_may_have_a_clock_of_its_own(solver):
    field, z = lively(), torch.randn(3, 8, generator=seeded()).double()
    start = torch.tensor([0.0, 1.0, 0.5]).double()
    times = torch.tensor([[-1.0, 0, 2.5, 4], [0, 1.5, 1.5, 3], [1, 2, 3, 9.25]]).double()
    together = states_at(field, z, start, times, solver)[0]
    alone = torch.cat([states_at(field, z[i : i + 1], start[i : i + 1], times[i], solver)[0] for i in range(3)])
    assert (together - alone).abs().max() < 1e-5
    union = times.flatten().unique()
    whole = states_at(field, z[:1], start[:1], union, solver)[0]
    assert (whole[:, torch.searchsorted(union, times[0])] - together[:1]).abs().max() < 1e-5


def test_the_field_may_have_second_order_numbers_that_stand_still_and_a_clock():
    net = LatentDynamics(7, hidden=(4,), order=2, still=1)
    z = torch.randn(5, 7, generator=seeded())
    v = net(torch.tensor(0.0), z)
    assert v.shape == (5, 7)
    assert not v[:, 0].any()
    assert torch.equal(v[:, 1:4], z[:, 4:])
    timed = LatentDynamics(3, hidden=(4,), time_dependent=True)
    assert not torch.equal(timed(torch.tensor(0.0), z[:, :3]), timed(torch.tensor(1.0), z[:, :3]))
    for options in ({"order": 3}, {"order": 2, "still": 2}, {"still": 7}, {"hidden": ()}):
        with pytest.raises(ConfigError):
            LatentDynamics(7, **options)
    with pytest.raises(ShapeError, match="moves"):
        net(torch.tensor(0.0), z[:, :3])


def test_gradients_of_the_adjoint_are_those_of_backpropagation():
    m = model().double()
    z, times = torch.randn(2, 6, generator=seeded()).double().requires_grad_(), torch.arange(8).double()
    solver, found = Solver("dopri5", rtol=1e-6, atol=1e-6), []
    wanted = [z, *m.dynamics.parameters()]
    for backward in ("backprop", "adjoint"):
        states = solve(m.field, z, times, solver, backward=backward, parameters=list(m.dynamics.parameters())).states
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(states.square().sum(), wanted)]))
    assert (found[0] - found[1]).norm() / found[0].norm() < 1e-3
