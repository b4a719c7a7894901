"""The losses of a diffusion, and that training lowers them."""

from itertools import pairwise

import pytest
import torch
from diffusion_models import LINEAR, SHAPE, VP, Small, Zero

from unveil.core.errors import ShapeError
from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.covariance import Identity, free_field
from unveil.models.diffusion import SAMPLERS, Diffusion
from unveil.models.diffusion.loss import min_snr_weight


@pytest.mark.parametrize(
    ("space", "expected", "tolerance"), [("white", 1.0, 0.02), ("score", 3.6227, 0.02), ("pixel", 1.0, 0.05)]
)
def test_loss_of_a_network_that_says_nothing(space, expected, tolerance):
    model = Diffusion(Zero(), LINEAR, (1, 32, 32), free_field(32, 32), space=space)
    loss = model.loss(torch.zeros(128, 1, 32, 32), Streams(0, 128))
    assert float(loss) == pytest.approx(expected, rel=tolerance)


def test_with_white_noise_the_three_spaces_are_one():
    x = torch.rand(8, *SHAPE) * 2 - 1
    torch.manual_seed(0)
    net = Small()
    losses = [Diffusion(net, LINEAR, SHAPE, space=s).loss(x, Streams(0, 8)) for s in ("white", "score", "pixel")]
    assert losses[0] == losses[1] == losses[2]


def test_min_snr_makes_parameterisations_equal():
    """For one and the same wrong estimate of the data, eps, x and v give the same weighted error."""
    t = torch.linspace(0.05, 0.95, 12, dtype=torch.float64)
    alpha, sigma = VP(t)
    wrong = torch.randn(12, dtype=torch.float64)  # error of the data's estimate
    errors = {"eps": -alpha / sigma * wrong, "n": -alpha / sigma * wrong, "x": wrong, "v": -wrong / sigma}
    weighted = {p: min_snr_weight(p, alpha, sigma, 5.0) * e**2 for p, e in errors.items()}
    for predict in ("n", "x", "v"):
        torch.testing.assert_close(weighted[predict], weighted["eps"])


def test_identity_covariance_is_the_isotropic_model_bit_for_bit():
    """Against the textbook form, written out here without any covariance, under one generator."""
    torch.manual_seed(0)
    net, x = Small(), torch.rand(4, *SHAPE) * 2 - 1
    model = Diffusion(net, LINEAR, SHAPE, Identity())
    streams = Streams(3, 4)
    t = (1 + (streams.rand((4,), torch.float64) * 1000).floor()) / 1000
    eps = streams.randn((4, *SHAPE))
    alpha, sigma = (c.float().reshape(-1, 1, 1, 1) for c in LINEAR(t))
    plain = (net(alpha * x + sigma * eps, t.float()) - eps).square().flatten(1).mean(1).mean()
    assert model.loss(x, Streams(3, 4)) == plain

    streams = Streams(9, 4)
    state = LINEAR(torch.ones((), dtype=torch.float64))[1] * streams.randn((4, *SHAPE))
    times = torch.arange(1000, -1, -50, dtype=torch.float64) / 1000
    with torch.no_grad():
        for t, u in pairwise(times):
            (a_t, s_t), (a_u, s_u) = LINEAR(t), LINEAR(u)
            x_hat = (state - s_t * net(state, torch.full((4,), float(t)))) / a_t
            if u == 0:
                state = x_hat
                break
            noise = (state - a_t * x_hat) / s_t
            tau = s_u * (1 - (a_t * s_u / (a_u * s_t)) ** 2).sqrt()
            state = a_u * x_hat + (s_u**2 - tau**2).sqrt() * noise + tau * streams.randn((4, *SHAPE))
    found = model.sample(4, steps=20, sampler="ancestral", generator=Streams(9, 4), clip=False)
    assert torch.equal(found, state)


def test_free_field_of_power_zero_is_the_isotropic_model_bit_for_bit():
    torch.manual_seed(0)
    net, x = Small(), torch.rand(4, *SHAPE)
    both = [Diffusion(net, LINEAR, SHAPE, cov) for cov in (Identity(), free_field(4, 6, 0.0))]
    assert both[0].loss(x, Streams(0, 4)) == both[1].loss(x, Streams(0, 4))
    for name in SAMPLERS:
        drawn = [m.sample(3, steps=10, sampler=name, generator=torch.Generator().manual_seed(0)) for m in both]
        assert torch.equal(*drawn), name


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"predict": "v", "min_snr": 5.0},
        {"predict": "x", "distance": "huber"},
        {"predict": "n", "space": "white"},
        {"stratified": True, "reduction": "half-sum", "distance": "l1"},
        {"classes": 3, "label_dropout": 0.2},
    ],
)
def test_a_few_steps_of_training_lower_the_loss(options):
    torch.manual_seed(0)
    x = torch.where(torch.arange(6) < 3, -0.8, 0.8).expand(8, *SHAPE).contiguous()
    label = torch.zeros(8, dtype=torch.int64)
    model = Diffusion(Small(classes=options.get("classes")), LINEAR, SHAPE, free_field(4, 6), **options)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    (stage,) = model.stages(60)

    def mean_loss():
        with torch.no_grad():
            losses = [
                next(iter(stage.moves(Batch(x, {"label": label}, Streams(10_000 + k, 8))))).loss for k in range(20)
            ]
        return float(torch.stack(losses).mean())

    before = mean_loss()
    for step in range(stage.steps):
        for move in stage.moves(Batch(x, {"label": label}, Streams(step, 8), step)):
            optimizer.zero_grad()
            move.loss.backward()
            optimizer.step()
    assert mean_loss() < 0.8 * before


def test_losses_tell_their_times():
    model = Diffusion(Small(), LINEAR, SHAPE)
    (move,) = model.moves(Batch(torch.zeros(3, *SHAPE), {}, Streams(0, 3)))
    assert move.logs["t"].shape == (3,)
    with pytest.raises(ShapeError, match="empty"):
        model.loss(torch.zeros(0, *SHAPE))
