"""Gradients of solutions: plain, by checkpoints, by the adjoint."""

import pytest
import torch
import torchdiffeq
from linear_field import START, Bent, linear

from unveil.ode import (
    Augmented,
    Solver,
    dopri5,
    solve,
)


def gradients(solver, backward, carrying=False, times=(0.0, 0.4, 1.0)):
    net = Bent()
    x = START.clone().requires_grad_()
    field = Augmented(net, torch.Size([5]), torch.ones_like(START), regularised=True) if carrying else net
    start = field.start(x) if carrying else x
    states = solve(field, start, torch.tensor(times), solver, backward=backward, parameters=net.parameters()).states
    loss = (states.square() * torch.linspace(1, 2, states.shape[-1], dtype=torch.float64)).sum()
    loss.backward()
    return torch.cat([x.grad.flatten(), net.first.grad.flatten(), net.last.grad.flatten()])


def apart(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("carrying", [False, True])
@pytest.mark.parametrize("solver", [Solver("rk4", steps=3), Solver("dopri5"), Solver("bosh3", rtol=1e-4, atol=1e-4)])
def test_checkpoints_give_the_gradient_of_plain_backpropagation(solver, carrying):
    assert apart(gradients(solver, "checkpoint", carrying), gradients(solver, "backprop", carrying)) < 1e-12


@pytest.mark.parametrize("carrying", [False, True])
def test_the_adjoint_gives_it_up_to_the_tolerance(carrying):
    exact = gradients(Solver(rtol=1e-9, atol=1e-9), "backprop", carrying)
    for tolerance, bound in ((1e-6, 1e-3), (1e-5, 1e-3), (1e-3, 0.05)):
        solver = Solver(rtol=tolerance, atol=tolerance)
        assert apart(gradients(solver, "adjoint", carrying), exact) < bound
        assert apart(gradients(solver, "backprop", carrying), exact) < bound
    assert apart(gradients(Solver("rk4", steps=20), "adjoint", carrying), exact) < 1e-5


def test_the_adjoint_agrees_with_torchdiffeq():
    net, x = Bent(), START.clone().requires_grad_()
    states = torchdiffeq.odeint_adjoint(net, x, torch.tensor([0.0, 0.4, 1.0]), rtol=1e-9, atol=1e-9)
    (states.square() * torch.linspace(1, 2, 5, dtype=torch.float64)).sum().backward()
    theirs = torch.cat([x.grad.flatten(), net.first.grad.flatten(), net.last.grad.flatten()])
    assert apart(gradients(Solver(rtol=1e-9, atol=1e-9), "adjoint"), theirs) < 1e-6


def test_a_gradient_does_not_pass_through_the_choice_of_steps():
    """Differences of the solution are its derivative, up to the tolerance."""

    def final(scale):
        return dopri5(linear, scale * START, torch.tensor([0.0, 1.0]), rtol=1e-8, atol=1e-8).final.square().sum()

    scale = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(final(scale), scale)
    assert float(slope) == pytest.approx(float(final(1.001) - final(0.999)) / 0.002, rel=1e-5)


@pytest.mark.parametrize("backward", ["checkpoint", "adjoint"])
def test_parameters_that_stand_still_get_no_gradient(backward):
    net, x = Bent(), START.clone().requires_grad_()
    net.first.requires_grad_(False)
    solve(net, x, torch.tensor([0.0, 1.0]), backward=backward, parameters=net.parameters()).final.sum().backward()
    assert net.first.grad is None
    assert float(net.last.grad.norm()) > 0


def test_evaluations_of_a_checkpointed_solution_are_counted():
    net, x = Bent(), START.clone().requires_grad_()
    counts = [
        solve(net, x, torch.tensor([0.0, 1.0]), backward=how, parameters=net.parameters()).evaluations
        for how in ("backprop", "checkpoint", "adjoint")
    ]
    assert len(set(counts)) == 1
