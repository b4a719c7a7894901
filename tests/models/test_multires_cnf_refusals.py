"""What flows refuse, and what they say."""

import math

import pytest
import torch
from flow_models import drawn, levels_of, one_flow, pixels, small

from unveil.core.errors import ConfigError, DataError, DivergenceError, ShapeError
from unveil.core.random import Streams
from unveil.models.multires_cnf import (
    Levels,
    Pyramid,
    Training,
)
from unveil.networks import ConvDynamics
from unveil.ode import Solver


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Pyramid((1, 28, 28), 4), ConfigError, "3 at most"),
        (lambda: Pyramid((1, 8, 8), 0), ConfigError, "resolutions is 0"),
        (lambda: Pyramid((1, 8, 8), 1.5), ConfigError, "resolutions is 1.5"),
        (lambda: Levels(1), ConfigError, "levels is 1"),
        (lambda: Levels(2.5), ConfigError, "levels is 2.5"),
        (lambda: Levels(256, 0), ConfigError, "bits is 0"),
        (lambda: Pyramid((1, 8, 8), 1, alpha=0.5), ConfigError, "logit_alpha is 0.5"),
        (lambda: Pyramid((1, 8, 8), 1, alpha=0.0), ConfigError, "infinite"),
        (lambda: Pyramid((1, 8, 8), 1, logit="all"), ConfigError, "logit is 'all'"),
        (lambda: Levels(256, 9), ConfigError, "bits is 9"),
        (lambda: Training(steer=1.0), ConfigError, "steer is 1.0"),
        (lambda: Training(objective="gan"), ConfigError, "objective is 'gan'"),
        (lambda: small(blocks=2, training=Training(objective="flow-matching")), ConfigError, "one block"),
        (lambda: small(training=Training(only=3)), ConfigError, "only is 3"),
        (lambda: small().log_likelihood(pixels(2, 16)), ShapeError, "images of shape"),
        (lambda: small().log_likelihood(pixels()[0]), ShapeError, "images of shape"),
        (lambda: small().log_likelihood((pixels() * 255).to(torch.uint8)), DataError, "dequantise"),
        (lambda: small().log_likelihood(pixels() * 2), DataError, "lie beyond"),
        (lambda: small().log_likelihood(pixels() * math.nan), DataError, "NaN"),
        (lambda: small().bits_per_dim(pixels()[:0]), DataError, "one or more"),
        (lambda: small().log_likelihood(pixels()[:0]), DataError, "batch is empty"),
        (lambda: small().sample(2, temperature=-1), ConfigError, "temperature is -1"),
        (lambda: small().sample(2, temperature=(1, 1, 1)), ConfigError, "as many temperatures"),
        (lambda: small().super_resolve(levels_of(1, 4), 3), ConfigError, "by 2; it was asked for 3"),
        (lambda: small().super_resolve(levels_of(1, 4), 2.0), ConfigError, "factor is 2.0"),
        (lambda: small().super_resolve(levels_of(1, 4, 3), 2), ShapeError, "given details"),
        (lambda: small().super_resolve(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), 2), DataError, "127.5"),
        (lambda: small().redraw(pixels(), 1.5), ConfigError, "resolutions is 1.5"),
        (lambda: small().redraw(pixels(), 3), ConfigError, "3 of 2 resolutions"),
        (lambda: small().decode([torch.zeros(1)]), ShapeError, "Noise of 2 resolutions"),
        (lambda: ConvDynamics(3, 1)(torch.tensor(0.0), torch.zeros(1, 3, 4, 4)), ShapeError, "told 1; it got 3 and 0"),
        (
            lambda: ConvDynamics(3, 1)(torch.tensor(0.0), torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 8, 8)),
            ShapeError,
            "one size",
        ),
        (lambda: one_flow(ConvDynamics(1), (1, 80, 80)).log_likelihood(torch.zeros(1, 1, 80, 80), trace="exact"),
         ConfigError, "6400 numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_a_solver_that_gives_up_says_where():
    model = small(3, 8, blocks=2, solver=Solver(max_evaluations=9))
    with pytest.raises(DivergenceError, match=r"Resolution 8x8, block 1 of 2: The ODE solver spent its budget"):
        model.log_likelihood(pixels())


@pytest.mark.parametrize("ask", ["likelihood", "sample", "super_resolve", "decode"])
def test_steps_that_lose_the_way_are_noticed(ask):
    """Solvers of fixed steps do not judge themselves; what they end with is looked at."""
    model = small(2, 8, solver=Solver("rk4", steps=4))
    for flow in model.flows:
        flow.blocks[0].layers[-1].weight.data.mul_(1e80)
    calls = {
        "likelihood": lambda: model.log_likelihood(pixels()),
        "sample": lambda: model.sample(2, generator=Streams(0, 2)),
        "super_resolve": lambda: model.super_resolve(levels_of(2, 4), 2, generator=Streams(0, 2)),
        "decode": lambda: model.decode([drawn(1, 3, 4, 4), drawn(1, 1, 4, 4)]),
    }
    with pytest.raises(DivergenceError, match=r"rk4 lost the way\. Take more steps than 4, or a solver that keeps"):
        calls[ask]()
