"""The pairs of samples and latents that Hat Diffusion EBMs learn from."""

import math

import pytest
import torch
from tiny_hats import SHAPE, batch_of, ready, small, stage_named, unchanged, weights_of

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.models.hat_ebm import Pairs
from unveil.models.hat_ebm.pairs import noise_of


def test_the_bank_begins_with_what_its_latents_make():
    model = ready()
    noise = noise_of(model.pairs.seed, SHAPE, model.device)
    torch.testing.assert_close(model.pairs.x.float(), model.generate(model.pairs.z, noise), rtol=2e-3, atol=2e-3)


def test_a_step_overwrites_the_pairs_it_drew_and_keeps_them_together():
    model = ready(reached=1)
    before = weights_of(model.pairs)
    moves = list(stage_named(model, "one").moves(batch_of(step=1)))
    changed = (model.pairs.seed != before["seed"]).nonzero().flatten()
    assert len(moves) == 2
    assert len(changed) == 8
    noise = noise_of(model.pairs.seed[changed], SHAPE, model.device)
    base = model.generate(model.pairs.z[changed], noise)
    near = (model.pairs.x[changed].float() - base).flatten(1).norm(dim=1)
    others = (model.pairs.x[changed].float() - base.roll(1, 0)).flatten(1).norm(dim=1)
    assert bool((near < others).all())  # the residual of a short chain is small


def test_the_noise_of_a_pair_is_that_of_its_own_seed():
    seed, device = torch.tensor([5, 6, 2**61 + 1]), torch.device("cpu")
    noise = noise_of(seed, SHAPE, device)
    assert torch.equal(noise_of(seed[1:2], SHAPE, device), noise[1:2])
    for one, two in ((0, 1), (0, 2), (1, 2)):
        assert abs(float(torch.corrcoef(noise[[one, two]].flatten(1))[0, 1])) < 0.5
    assert float(noise_of(torch.arange(200), SHAPE, device).std()) == pytest.approx(1, rel=0.05)


def test_in_time_every_pair_is_renewed():
    pairs = Pairs(64, SHAPE, 2)
    for step in range(math.ceil(64 / 8 * (math.log(64) + 4.6))):
        chosen, kept = pairs.bank.draw(8, Streams(step, 8))
        assert len(set(chosen.tolist())) == 8
        pairs.bank.overwrite(chosen, {**kept, "seed": torch.ones(8, dtype=torch.int64)})
    assert bool((pairs.seed == 1).all())


def test_the_bank_is_kept_to_the_bit_and_must_hold_a_batch():
    model = ready()
    other = small()
    other.load_state_dict(model.state_dict())
    assert unchanged(other.pairs, weights_of(model.pairs))
    with pytest.raises(ConfigError, match=r"keeps 32 pairs and a batch has 40"):
        next(stage_named(small(), "one").moves(batch_of(40)))
