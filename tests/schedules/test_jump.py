import pytest
import torch

from unveil.samplers import ddim
from unveil.schedules import Discrete, GeometricVE, LinearVP
from unveil.schedules.jump import aim, jump


@pytest.mark.parametrize("schedule", [Discrete.cosine(), LinearVP(), GeometricVE(0.01, 10)])
def test_an_aimed_jump_lands_where_it_was_aimed(schedule):
    x_t, x_u = torch.randn(2, 3, 4, dtype=torch.float64).unbind()
    t, u = torch.tensor([0.9, 0.3, 0.02]).double(), torch.tensor([0.5, 0.29, 0.01]).double()
    landed = jump(x_t, aim(x_t, x_u, schedule, t, u), schedule, t, u)
    torch.testing.assert_close(landed, x_u, rtol=1e-9, atol=1e-9)


def test_at_the_end_the_aim_is_the_end_itself():
    x_t, x_0 = torch.randn(2, 3, 4).unbind()
    t = torch.tensor([0.9, 0.3, 0.001]).double()
    torch.testing.assert_close(aim(x_t, x_0, Discrete.cosine(), t, torch.zeros(3).double()), x_0)


def test_jumps_are_the_steps_of_ddim_and_a_turn_by_an_angle():
    schedule, denoise = Discrete.cosine(), lambda x, t: 0.5 * x
    times = torch.tensor([0.8, 0.3], dtype=torch.float64)
    x = torch.randn(5, 2, dtype=torch.float64)
    jumped = jump(x, denoise(x, times[0]), schedule, *times)
    torch.testing.assert_close(jumped, ddim(denoise, x, schedule, times))
    (alpha, sigma), (alpha_u, sigma_u) = schedule(times[0]), schedule(times[1])
    angle = torch.atan2(sigma, alpha) - torch.atan2(sigma_u, alpha_u)
    v = (alpha * x - denoise(x, times[0])) / sigma
    torch.testing.assert_close(jumped, angle.cos() * x - angle.sin() * v)
