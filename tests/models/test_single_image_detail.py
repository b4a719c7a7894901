"""The noise that finer scales make into details."""

import pytest
import torch
from single_image_models import SIZE, lively, picture, trained

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.models.single_image_ebm.detail import add_detail, detail_ratio, local_contrast
from unveil.models.single_image_ebm.starts import Starts
from unveil.pyramids import resize


@pytest.fixture(scope="module")
def drawing():
    """A model that draws details."""
    found = lively()
    found.detail_noise = 0.7
    return found


def test_contrast_is_the_standard_deviation_around_a_pixel():
    columns = torch.tensor([0.4, -0.4]).repeat(6).expand(1, 3, 9, 12)
    inside = local_contrast(columns)[..., 2:-2, 2:-2]
    # Of five columns three are of one value: a share p of 3/5, and the spread between two values d apart is d sqrt(p (1 - p)).
    torch.testing.assert_close(inside, torch.full_like(inside, 0.8 * (0.6 * 0.4) ** 0.5))
    assert local_contrast(torch.full((1, 3, 9, 12), 0.3)).max() < 1e-3
    coloured = torch.stack([columns[:, 0], -columns[:, 0], torch.zeros(1, 9, 12)], 1)
    assert local_contrast(coloured).max() < 1e-3  # of the greys, which are all alike


def test_the_ratio_compares_what_is_missing_with_the_contrast():
    below = picture()[None]
    know_all = torch.ones(1, 1, *SIZE)
    away = torch.full_like(below, 0.1)
    expected = 0.1 / local_contrast(below).square().mean().sqrt()
    torch.testing.assert_close(detail_ratio(below + away, below, know_all), expected)
    hole = know_all.clone()
    hole[..., :8, :] = 0
    spoilt = below + away
    spoilt[..., :8, :] = 1e3
    expected = 0.1 / local_contrast(below)[..., 8:, :].square().mean().sqrt()
    torch.testing.assert_close(detail_ratio(spoilt, below, hole), expected)


def test_noise_is_as_strong_as_the_contrast_and_flat_places_get_none():
    x = torch.zeros(4000, 3, 9, 12)
    x[..., :6] = torch.tensor([0.4, -0.4]).repeat(3)
    added = add_detail(x, torch.tensor(0.2), Streams(0, 4000)) - x
    assert added[..., 9:].abs().max() < 1e-6
    assert torch.equal(added[:, 0], added[:, 1])
    spread = added[:, 0].std(0)
    torch.testing.assert_close(spread, 0.2 * local_contrast(x[:1])[0, 0], atol=0.01, rtol=0.06)
    assert add_detail(x[:8] * 2.4, torch.tensor(3.0), Streams(0, 8)).abs().max() <= 1


def test_details_are_drawn_anew_for_every_sample(drawing):
    alike = drawing._blurred(drawing.pyramid[-1], 1, drawing.sizes).expand(3, -1, -1, -1)
    assert torch.equal(*drawing.climb(alike, 1, drawing.sizes)[:2])
    drawn = drawing.climb(alike, 1, drawing.sizes, temperature=1.0, generator=Streams(2, 3))
    assert (drawn[0] - drawn[1]).abs().max() > 1e-3
    three = drawing.sample(3, generator=Streams(5, 3))
    for i in range(3):
        torch.testing.assert_close(drawing.sample(1, generator=Streams(5, [i])), three[i : i + 1], atol=1e-5, rtol=0)


def test_details_are_added_above_the_coarsest_scale_alone(drawing):
    by_hand = drawing.run(torch.zeros(1, 3, *drawing.sizes[0]), 0)
    streams = Streams(2, 1)
    for scale in range(1, drawing.scales):
        below = resize(by_hand, drawing.sizes[scale]).clamp(-1, 1)
        by_hand = drawing.run(drawing.with_detail(below, scale, streams), scale)
        assert not torch.equal(drawing.with_detail(below, scale, Streams(2, 1)), below)
    start = torch.zeros(1, 3, *drawing.sizes[0])
    assert torch.equal(drawing.with_detail(start, 0, Streams(2, 1)), start)
    found = drawing.climb(start, 0, drawing.sizes, temperature=1.0, generator=Streams(2, 1))
    torch.testing.assert_close(found, by_hand, atol=1e-5, rtol=0)


def test_the_temperature_scales_what_details_are_drawn_from(drawing):
    plain = lively()
    calm = {"temperature": 0.0, "generator": Streams(4, 2)}
    assert torch.equal(drawing.sample(2, **calm), plain.sample(2, generator=Streams(4, 2)))
    half = drawing.sample(2, temperature=0.5, generator=Streams(4, 2))
    drawing.detail_noise = 0.35
    try:
        assert torch.equal(half, drawing.sample(2, generator=Streams(4, 2)))
    finally:
        drawing.detail_noise = 0.7


def test_recoveries_and_edits_without_noise_draw_none(drawing):
    x = drawing.pyramid[-1]
    plain = lively()
    assert torch.equal(drawing.recover(1), plain.recover(1))
    assert torch.equal(drawing.inject(x, 1), plain.inject(x, 1))
    assert torch.equal(drawing.inject(x, 1, gentle=True), plain.inject(x, 1, gentle=True))
    noisy = {"inject_noise": 0.05, "generator": Streams(3, 1)}
    assert not torch.equal(
        drawing.inject(x, 1, **noisy), plain.inject(x, 1, inject_noise=0.05, generator=Streams(3, 1))
    )


def test_training_starts_from_details_and_their_bank_is_a_function_of_the_seed():
    found, without = trained(steps=3, detail_noise=0.7), trained(steps=3)
    first = found.energies[0].state_dict()
    assert all(torch.equal(value, first[name]) for name, value in without.energies[0].state_dict().items())
    last = found.energies[-1].state_dict()
    assert any(not torch.equal(value, last[name]) for name, value in without.energies[-1].state_dict().items())
    step_by_step, top = Starts(3, 11), found.scales - 1
    for scale in range(found.scales):
        bank = step_by_step.at(found, scale)[0]
    assert torch.equal(bank, Starts(3, 11).at(found, top)[0])
    assert not torch.equal(bank, Starts(3, 12).at(found, top)[0])
    found.detail_noise = 0.0
    assert top < 2 or not torch.equal(bank, Starts(3, 11).at(found, top)[0])


def test_a_noise_below_zero_is_refused():
    with pytest.raises(ConfigError, match="detail_noise"):
        trained(detail_noise=-0.1)
