"""Samples of Hat Diffusion EBMs, and pictures that they refine."""

import pytest
import torch
from tiny_hats import Pictures, batch_of, ready, small, stage_named

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.models.hat_ebm import Lengths


def test_masked_pixels_stay_to_the_bit():
    model, x = ready(), Pictures().x[:3]
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 4:] = 1
    moved = model.refine(x, mask=mask, generator=Streams(0, 3))
    assert torch.equal(moved[..., :4], x[..., :4])
    assert float((moved[..., 4:] - x[..., 4:]).abs().mean()) > 0.01


@pytest.mark.parametrize("stage", ["proposal", "kernel", "one", "two"])
def test_samples_do_not_depend_on_their_batch(stage):
    model = ready()
    whole = model.sample(3, stage=stage, generator=Streams(5, 3))
    assert torch.equal(whole, model.sample(3, stage=stage, generator=Streams(5, 3)))
    torch.testing.assert_close(model.sample(1, stage=stage, generator=Streams(5, [2])), whole[2:], rtol=1e-4, atol=1e-4)
    assert whole.abs().max() <= 1


def test_refining_repeats_the_kernel_and_watches_the_chain():
    model, x, seen = ready(), Pictures().x[:2], []
    assert torch.equal(model.refine(x, repeats=0, steps=0), x)
    once, twice = (model.refine(x, repeats=count, steps=0, generator=Streams(0, 2)) for count in (1, 2))
    assert not torch.equal(once, twice)
    model.refine(x, steps=3, watch=lambda done, total, state: seen.append((done, total, state.shape)))
    assert seen == [(k, 3, x.shape) for k in (1, 2, 3)]


def test_the_preview_has_a_row_for_each_part():
    model = small()
    next(stage_named(model, "1-steps").moves(batch_of()))  # as after an interruption, before which the others were
    shown = model.preview()
    assert shown.shape == ready().preview().shape == (24, 1, 8, 8)
    assert torch.equal(shown[:8], Pictures().x[:8])


def test_what_was_not_trained_is_not_sampled():
    model = small()
    with pytest.raises(ConfigError, match="not been trained through stage one"):
        model.sample(1)
    x = Pictures().x[:2]
    for options in ({}, {"steps": 0}, {"repeats": 0}):
        with pytest.raises(ConfigError, match="not been trained through stage one"):
            model.refine(x, **options)
    assert torch.equal(model.refine(x, repeats=0, steps=0), x)
    model.reached.fill_(1)
    with pytest.raises(ConfigError, match="stage two; take --stage one"):
        model.sample(1, stage="two")
    with pytest.raises(ConfigError, match="no stage 'three'"):
        model.sample(1, stage="three")


def test_stage_one_keeps_its_energy_when_stage_two_goes_on_with_a_copy():
    model = ready()
    one, two = (model.sample(3, stage=stage, generator=Streams(0, 3)) for stage in ("one", "two"))
    with torch.no_grad():
        for value in model.energy_two.parameters():
            value.mul_(1.5)
    assert torch.equal(model.sample(3, stage="one", generator=Streams(0, 3)), one)
    assert not torch.equal(model.sample(3, stage="two", generator=Streams(0, 3)), two)
    (stage,) = (stage for stage in model.stages(4) if stage.name == "two")
    assert all(
        torch.equal(*pair) for pair in zip(model.energy.parameters(), model.energy_two.parameters(), strict=True)
    )
    assert list(stage.players) == ["energy-two"]
    assert ready(lengths=Lengths(two=0)).energy_two is None
