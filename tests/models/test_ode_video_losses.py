"""What a model of paths minimises, and that it learns by it."""

import pytest
import torch
from path_models import RK4, clips, model
from seeds import seeded
from torch import nn

from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.models.ode_video import (
    Learning,
    gaussian_log_density,
    kl_to_standard,
    two_terms,
)
from unveil.models.ode_video.objectives import compared


def test_densities_and_divergences_are_those_of_torch():
    mean, log_var = torch.randn(4, 6, generator=seeded()), torch.randn(4, 6, generator=seeded(1))
    normal = torch.distributions.Normal(mean, (log_var / 2).exp())
    wanted = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_to_standard(mean, log_var), wanted)
    assert not kl_to_standard(torch.zeros(2, 3), torch.zeros(2, 3)).any()
    assert (kl_to_standard(torch.zeros(2, 3), torch.zeros(2, 3), free_bits=0.5) == 1.5).all()
    x = torch.randn(4, 2, 3, generator=seeded(2))
    wanted = torch.distributions.Normal(x * 0.5, 0.3).log_prob(x).sum((1, 2))
    torch.testing.assert_close(gaussian_log_density(x, x * 0.5, 0.3), wanted)


def test_two_terms_of_two_frames_by_hand():
    x, x_hat = torch.tensor([[[1.0], [0.0]]]), torch.tensor([[[0.5], [-1.0]]])
    embedded, states = (
        torch.tensor([[[1.0], [2.0]]], requires_grad=True),
        torch.tensor([[[1.0], [0.0]]], requires_grad=True),
    )
    pixels, agreement = two_terms(x, x_hat, embedded, states, weight=0.5)
    assert (pixels.item(), agreement.item()) == (1.25, 2.0)
    for stop, still in (("encoder", embedded), ("ode", states)):
        _, agreement = two_terms(x, x_hat, embedded, states, stop=stop)
        moved = states if still is embedded else embedded
        assert torch.autograd.grad(agreement.sum(), [still, moved], allow_unused=True)[0] is None


def test_a_still_clip_and_a_field_of_zero_agree():
    m = model(stack=2)
    for value in m.dynamics.parameters():
        nn.init.zeros_(value)
    still = clips(2, 1).expand(-1, 8, -1, -1, -1)
    _, logs = m.loss(still)
    assert logs["agreement"] < 1e-8
    assert m.loss(clips(2))[1]["agreement"] > 1e-4
    assert model(stack=2, autoencode=1.0).loss(still)[0] > model(stack=2).loss(still)[0]


def test_the_bound_is_that_of_its_parts():
    m = model(sigma=0.4, beta=2.0, objective="both")
    x, streams = clips(), Streams(0, 3)
    loss, logs = m.loss(x, streams)
    encoded = m.encode(x[:, :5])
    z = m._drawn(encoded, Streams(0, 3))
    x_hat = m.decode(m.states(z, encoded.start, torch.arange(8).double(), RK4))
    density = torch.distributions.Normal(x_hat, 0.4).log_prob(x).sum((1, 2, 3, 4))
    divergence = kl_to_standard(encoded.mean, encoded.log_var)
    torch.testing.assert_close(loss, (2 * divergence - density).mean() / (8 * 256))
    torch.testing.assert_close(logs["elbo"], (density - divergence).mean())
    torch.testing.assert_close(logs["kl"], divergence.mean())
    assert logs["evaluations"] == 4 * 7


@pytest.mark.parametrize(("objective", "used"), [("reconstruct", range(5)), ("predict", range(8)), ("both", range(8))])
def test_an_objective_uses_the_frames_it_says(objective, used):
    m = model(objective=objective)
    x = clips(2).requires_grad_()
    m.loss(x, Streams(0, 2))[0].backward()
    seen = x.grad.abs().sum((0, 2, 3, 4)) > 0
    assert seen.nonzero().flatten().tolist() == list(used)


def test_the_weight_of_the_divergence_warms_up():
    learning = Learning(beta=2.0, warmup=4)
    assert [learning.beta_at(step) for step in (0, 1, 3, 9)] == [0.5, 1.0, 2.0, 2.0]
    assert Learning(beta=2.0).beta_at(0) == 2.0


@pytest.mark.parametrize(("stack", "steps"), [(0, 500), (2, 400)])
def test_one_clip_can_be_learnt_by_heart(stack, steps):
    t = torch.arange(10.0)[:, None, None]
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    ball = 2 * torch.exp(-((rows - 4 - t) ** 2 + (columns - 8 - 3 * torch.sin(t / 2)) ** 2) / 6) - 1
    x = ball[None, :, None]
    m = model(stack=stack, latent=8, window=10, objective="both", widths=(8, 16), sigma=0.1, beta=0.01).train()
    optimizer = torch.optim.Adam(m.parameters(), 2e-2)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        loss, _ = m.loss(x, Streams(step, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        slower.step()

    def psnr(a, b):
        return -10 * ((a - b).square().mean() / 4).log10().item()

    made = m.eval().frames_at(x[:, :5], torch.arange(10).double(), mean=True)
    still = psnr(x[:, 4:5].expand(-1, 5, -1, -1, -1), x[:, 5:])
    assert psnr(made, x) > 33
    assert psnr(made[:, 5:], x[:, 5:]) > still + 5


def test_a_training_step_tells_what_is_worth_a_look():
    m = model(hide=0.5)
    (stage,) = m.stages(3)
    assert (stage.name, stage.steps, stage.shown) == ("train", 3, ("psnr_future",))
    times = torch.arange(8).double() + 0.3 * torch.rand(3, 8, generator=seeded())
    (move,) = list(stage.moves(Batch(clips(), {"times": times}, Streams(0, 3))))
    assert move.loss.isfinite()
    assert {"loss", "kl", "elbo", "psnr_known", "psnr_future", "evaluations"} <= set(move.logs)
    assert "psnr_future" not in model(objective="reconstruct").loss(clips())[1]


@pytest.mark.parametrize("stack", [0, 2])
@pytest.mark.parametrize("objective", ["reconstruct", "predict", "both"])
def test_a_step_may_compare_some_of_the_frames(stack, objective):
    m, x = model(stack=stack, objective=objective, compared=2), clips(2)
    targets = range(8)[m.learning.targets]
    seen = set()
    for seed in range(60):
        rows = compared(m.learning, torch.arange(8), Streams(seed, 2), 0).tolist()
        assert len(rows) == 2
        assert rows == sorted(rows)
        seen |= set(rows)
    assert seen == set(targets)
    assert m.loss(x, Streams(0, 2))[0].isfinite()


def test_the_terms_of_some_frames_are_those_of_these_frames():
    m, x = model(stack=2, compared=3), clips(2)
    rows = compared(m.learning, torch.arange(8), Streams(1, 2), 0)
    encoded = m.encode(x[:, :2])
    states = m.states(encoded.mean, encoded.start, rows.double(), RK4)
    pairs = [i for i in rows.tolist() if i + 1 < 8]
    embedded = torch.stack([m.encode(x[:, i : i + 2]).mean for i in pairs], 1)
    wanted = sum(two_terms(x[:, rows], m.decode(states), embedded, states[:, : len(pairs)]))
    torch.testing.assert_close(m.loss(x, Streams(1, 2))[0], wanted.mean() / (3 * 256))


def test_all_frames_compared_are_no_draw():
    assert torch.equal(model(stack=2, compared=8).loss(clips())[0], model(stack=2).loss(clips())[0])


@pytest.mark.parametrize(("anchor", "begin"), [("first", [0, 1]), ("last", [3, 4])])
def test_the_frames_that_are_compared_grow_from_where_the_path_begins(anchor, begin):
    m, x = model(recurrent={"anchor": anchor}, horizon=8), clips(2)
    for step, count in ((0, 2), (1, 2), (2, 3), (7, 8), (99, 8)):
        used = x.clone().requires_grad_()
        rows = compared(m.learning, torch.arange(8) - (4 if anchor == "last" else 0), Streams(0, 2), step).tolist()
        assert len(rows) == count
        assert rows == list(range(rows[0], rows[0] + count))
        m.loss(used, Streams(0, 2), step=step)[0].backward()
        known_or_compared = sorted({*range(5), *rows})
        assert (used.grad.abs().sum((0, 2, 3, 4)) > 0).nonzero().flatten().tolist() == known_or_compared
    assert compared(m.learning, torch.arange(8) - (4 if anchor == "last" else 0), Streams(0, 2), 0).tolist() == begin
