"""What a diffusion refuses, and what it warns of."""

import math

import pytest
import torch
from diffusion_models import GRADED, LINEAR, SHAPE, VE, Small, TwoChannels, Zero
from torch import nn

from unveil.core.errors import ConfigError, DataError, DivergenceError, RunError, ShapeError
from unveil.core.random import Streams
from unveil.covariance import Diagonal, free_field
from unveil.models.diffusion import Diffusion
from unveil.networks.unet import UNet
from unveil.schedules import Discrete


def test_weights_of_another_noise_are_refused():
    saved = Diffusion(Small(), LINEAR, SHAPE).state_dict()
    Diffusion(Small(), LINEAR, SHAPE).load_state_dict(saved)
    for other in (
        Diffusion(Small(), Discrete.cosine(), SHAPE),
        Diffusion(Small(), LINEAR, SHAPE, free_field(4, 6)),
        Diffusion(Small(), LINEAR, SHAPE, predict="v"),
    ):
        with pytest.raises(RunError, match="another noise"):
            other.load_state_dict(saved)


def test_bad_arguments_are_named():
    model = Diffusion(Small(), LINEAR, SHAPE)
    for arguments, said in (
        ({"sampler": "euler2"}, "Unknown sampler"),
        ({"steps": 1001}, "1 to 1000"),
        ({"sampler": "ddim", "snr": 1}, "no option snr"),
        ({"guidance": 2.0}, "Guidance needs labels"),
    ):
        with pytest.raises(ConfigError, match=said):
            model.sample(1, **arguments)
    with pytest.raises(ShapeError, match="made for data of shape"):
        model.loss(torch.zeros(2, 1, 5, 5))
    with pytest.raises(DataError, match=r"uint8.*dequantise"):
        model.loss(torch.zeros(2, *SHAPE, dtype=torch.uint8))
    with pytest.raises(ConfigError, match="v-prediction"):
        Diffusion(Small(), VE, SHAPE, predict="v")
    assert model.sample(0).shape == (0, *SHAPE)


def test_warnings_and_shapes_that_cannot_work():
    with pytest.warns(UserWarning, match="condition number"):
        Diffusion(Zero(), LINEAR, (1, 32, 32), free_field(32, 32, 3.0), space="score")
    with pytest.raises(ShapeError, match="answered"):
        Diffusion(TwoChannels(), LINEAR, SHAPE).loss(torch.zeros(2, *SHAPE), Streams(0, 2))
    with pytest.raises(ShapeError, match="8 x 8"):
        Diffusion(Zero(), LINEAR, SHAPE, free_field(8, 8))
    with pytest.warns(UserWarning, match="made for"):
        Diffusion(Zero(), LINEAR, SHAPE).log_likelihood(torch.full((1, *SHAPE), 200.0))


@pytest.mark.parametrize(
    "options",
    [
        {"predict": "foo"}, {"space": "foo"}, {"distance": "foo"}, {"reduction": "sum"}, {"condition": "foo"},
        {"sigma_data": 0.0}, {"min_snr": math.nan}, {"classes": 0}, {"first_index": 7}, {"label_dropout": 0.1},
    ],
)  # fmt: skip
def test_impossible_options_are_named(options):
    with pytest.raises(
        ConfigError, match=next(iter(options)).replace("first_index", "index").replace("classes", "class")
    ):
        Diffusion(Small(), LINEAR, SHAPE, **options)


def test_weights_survive_half_precision_and_know_all_that_matters():
    saved = Diffusion(Small(), LINEAR, SHAPE).bfloat16().state_dict()
    Diffusion(Small(), LINEAR, SHAPE).bfloat16().load_state_dict(saved)
    half = Diffusion(UNet(1, channels=8, mult=(1, 2), blocks=1, attention=()), LINEAR, SHAPE).bfloat16()
    assert half.sample(2, steps=2).isfinite().all()
    for other in (
        Diffusion(Small(), LINEAR, SHAPE, sigma_data=0.5),
        Diffusion(Small(), LINEAR, SHAPE, first_index=0),
        Diffusion(Small(), Discrete.linear(999), SHAPE),
    ):
        with pytest.raises(RunError, match="another noise"):
            other.load_state_dict(saved)
    one, two = (Diffusion(Small(), LINEAR, SHAPE, Diagonal(v)) for v in (GRADED, GRADED.flip(0, 1)))
    with pytest.raises(RunError, match="another noise"):
        two.load_state_dict(one.state_dict())


def test_a_flow_that_is_not_finite_is_reported():
    class Broken(nn.Module):
        def forward(self, x, t):
            return x * math.nan

    for name in ("euler", "heun", "rk45", "ddim"):
        with pytest.raises(DivergenceError, match="finite"):
            Diffusion(Broken(), LINEAR, SHAPE).sample(1, steps=4, sampler=name)


def test_covariances_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match="4 x 6"):
        Diffusion(Small(), LINEAR, SHAPE, Diagonal(torch.ones(1, 6)))
    with pytest.raises(ShapeError, match="covariance makes noise"):
        Diffusion(Small(), LINEAR, SHAPE, Diagonal(torch.rand(3, 4, 6) + 0.5))
