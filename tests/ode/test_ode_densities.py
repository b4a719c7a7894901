"""What a state carries along."""

import math

import pytest
import torch
from linear_field import MATRIX, START, linear

from unveil.ode import Augmented, Solver, dopri5, solve


def test_augmented_state_carries_the_log_density():
    joint = Augmented(linear, torch.Size([5]))
    _, change, _ = joint.read(dopri5(joint, joint.start(START), torch.tensor([0.0, 1.0])).final)
    torch.testing.assert_close(change, MATRIX.trace().expand(6), rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", ["euler", "midpoint", "heun", "rk4", "bosh3", "dopri5"])
def test_the_integral_of_the_trace_is_exact_for_linear_fields(method):
    joint = Augmented(linear, torch.Size([5]))
    solution = solve(joint, joint.start(START), torch.tensor([0.0, 1.0]), Solver(method))
    assert float((joint.read(solution.final.detach())[1] - MATRIX.trace()).abs().max()) < 1e-6


def test_regularisers_of_a_linear_field():
    """dx/dt = a x: half the squared speed is a^2 e^{2 a t} x^2 / 2, and the Jacobian's squares are a^2 for each number."""
    a = 0.7
    for probe in (None, torch.ones_like(START)):
        joint = Augmented(lambda t, x: a * x, torch.Size([5]), probe, regularised=True)
        final = dopri5(joint, joint.start(START), torch.tensor([0.0, 1.0]), rtol=1e-9, atol=1e-9).final
        _, change, more = joint.read(final)
        kinetic = START.square().mean(1) * a * (math.exp(2 * a) - 1) / 4
        torch.testing.assert_close(more[:, 0], kinetic, rtol=1e-6, atol=0)
        torch.testing.assert_close(more[:, 1], torch.full((6,), a**2, dtype=torch.float64), rtol=1e-9, atol=0)
        torch.testing.assert_close(change, torch.full((6,), 5 * a, dtype=torch.float64))


def test_regularisers_move_no_step():
    def steep(t, x):
        return x + 1e4 * torch.sin(40 * t.to(x)).reshape(-1, 1)

    counts = []
    for regularised in (False, True):
        joint = Augmented(steep, torch.Size([5]), torch.ones_like(START), regularised)
        solution = dopri5(joint, joint.start(START), torch.tensor([0.0, 1.0]), norm=joint.norm)
        counts.append(solution.accepted)
    assert counts[0] == pytest.approx(counts[1], rel=0.1)
