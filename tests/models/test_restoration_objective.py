"""What a model of restoration is trained to lower, against numbers that are known."""

import pytest
import torch
from restoration_models import PRIORS, LogRatio, Truth, batch_of, points_model
from torch import nn

from unveil.core.random import Streams
from unveil.data.points import Points
from unveil.models.restoration import (
    KLD,
    MMD,
    MMSE,
    Restoration,
    naive_super_resolution,
    noising,
    super_resolution,
)
from unveil.models.restoration.adversarial import slope_penalty
from unveil.networks import PointDiscriminator


def test_the_divergence_is_minus_the_logit():
    logit = torch.randn(100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    softplus = torch.nn.functional.softplus
    torch.testing.assert_close(KLD(LogRatio()).per_sample(logit), softplus(-logit) - softplus(logit))
    torch.testing.assert_close(KLD(LogRatio(), gen_loss="nonsaturating").per_sample(logit), softplus(-logit))


def value(prior, *args):
    """What a prior without moves of its own gives."""
    with pytest.raises(StopIteration) as end:
        next(prior.term(*args))
    return end.value.value


def test_the_best_discriminator_gives_the_divergence_of_gaussians():
    fake = 1.5 + torch.randn(200_000, 1, generator=torch.Generator().manual_seed(0))
    k = torch.zeros(len(fake), dtype=torch.int64)
    exact, error = 1.5**2 / 2, 1.5 / len(fake) ** 0.5
    assert value(KLD(LogRatio()), None, fake, k, None).item() == pytest.approx(exact, abs=4 * error)
    other = value(KLD(LogRatio(), gen_loss="nonsaturating"), None, fake, k, None).item()
    assert other == pytest.approx(1.599, abs=0.01)


class Slope(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, -4.0]))

    def forward(self, y, k):
        return y @ self.weight, y


def test_the_penalty_of_a_linear_discriminator_is_known():
    y = torch.randn(5, 2, requires_grad=True)
    critic = Slope()
    assert slope_penalty(critic(y, None)[0], y, gamma=0.1).item() == pytest.approx(0.05 * 25)
    for scaled, expected in ((False, 0.05 * 25), (True, 0.05 * 25 * 4)):
        prior = KLD(critic, r1=0.1, lazy=4, r1_scale_by_interval=scaled)
        for step in range(9):
            _, logs = prior.judge(y, y, torch.zeros(5), step)
            assert ("r1" in logs) == (step % 4 == 0)
            assert logs.get("r1", torch.tensor(expected)).item() == pytest.approx(expected)
    assert "r1" not in KLD(critic, r1=0).judge(y, y, torch.zeros(5), 0)[1]


@pytest.mark.parametrize("chain", [noising(), super_resolution(7), naive_super_resolution(3)])
def test_fidelity_of_the_truth_is_a_half(chain):
    shape = (3, 16, 16)
    model = Restoration(Truth(), chain, shape, MMSE())
    native = Restoration(Truth(), chain, shape, MMSE(), fidelity_space="native")
    x = torch.zeros(1024, *shape) + 0.3
    for k in range(1, chain.steps + 1):
        y = chain.degrade(x, k, Streams(k, len(x)))
        assert model.fidelity(x, y, k).mean().item() == pytest.approx(0.5, rel=0.03)
        share = chain.levels[k].operator.forward(x[:1]).numel() / x[0].numel()
        assert native.fidelity(x, y, k).mean().item() == pytest.approx(0.5 * share, rel=0.05)


def test_a_step_pulls_estimates_of_level_k_plus_one_and_judges_level_k():
    model = Restoration(Truth(), noising(), (2,), KLD(PointDiscriminator()), fidelity_weight=2.0)
    x = torch.full((4000, 2), 0.25)
    judge, move = model.moves(batch_of(x))
    assert (judge.player, move.player) == ("discriminator", "generator")
    assert move.logs["fidelity"].item() == pytest.approx(0.5, rel=0.05)  # a perfect answer
    assert move.loss.item() == pytest.approx((move.logs["prior"] + 2 * move.logs["fidelity"]).item())
    (k_first, z_first), (k, z) = model.generator.asked
    assert sorted(set(k.tolist())) == [0, 1, 2, 3]
    assert not torch.equal(k_first, k)
    assert not torch.equal(z_first, z)


def test_posterior_training_fits_a_step_of_the_chain():
    model = Restoration(Truth(), noising(), (2,), KLD(PointDiscriminator()), sampling="posterior")
    *_, move = model.moves(batch_of(torch.full((6000, 2), 0.25)))
    assert move.logs["fidelity"].item() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("prior", PRIORS)
def test_players_take_their_turns(prior):
    model = points_model(prior)
    (stage,) = model.stages(7)
    x = Points().points[:64]
    names = []
    for move in stage.moves(batch_of(x)):
        names.append(move.player)
        assert move.loss.isfinite()
        parameters = list(stage.players[move.player].parameters())
        assert any(
            g is not None and g.abs().max() > 0 for g in torch.autograd.grad(move.loss, parameters, allow_unused=True)
        )
    judged = ["discriminator"] if "features" in prior or prior == "kld" else []
    assert names == judged + ["slices"] * (2 if "dswd" in prior else 0) + ["generator"]
    assert set(names) == set(stage.players)
    assert stage.steps == 7


def test_sets_are_of_one_level():
    for prior, several in (("kld", True), ("mmd", False), ("dswd", False)):
        model = Restoration(Truth(), noising(), (2,), PRIORS[prior]())
        for _ in model.moves(batch_of(Points().points[:64])):
            pass
        assert (len(set(model.generator.asked[-1][0].tolist())) > 1) == several


def test_matching_data_shows_the_prior_what_was_restored():
    found = {}
    for match in ("data", "level"):
        model = Restoration(Truth(), noising(), (2,), MMD(), match=match)
        batches = [batch_of(torch.full((64, 2), 0.25), seed=seed) for seed in range(8)]  # of several levels
        found[match] = max(move.logs["prior"].item() for batch in batches for move in model.moves(batch))
    assert found["data"] < 2e-6  # the very data
    assert found["level"] > 0.01  # noise of their own
