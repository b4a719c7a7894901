"""What the energy-based model of a single image makes of pictures."""

import pytest
import torch
from single_image_models import SIZE, lively, picture

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.core.random import Streams
from unveil.models.single_image_ebm.super_resolution import growing_sizes
from unveil.pyramids import resize


@pytest.fixture(scope="module")
def ready():
    return lively()


def test_pictures_are_injected_at_any_scale(ready):
    drawing = torch.rand(2, 3, 50, 70) * 2 - 1
    every = ready.inject(drawing, "all")
    assert len(every) == ready.scales - 1
    for scale, x in enumerate(every, start=1):
        torch.testing.assert_close(x, ready.inject(drawing, scale))
        assert x.shape == (2, 3, *SIZE)
    assert ready.inject(drawing, 1, size=(30, 44)).shape == (2, 3, 30, 44)
    assert ready.inject(drawing, 0).shape == (2, 3, *SIZE)


def test_blending_leaves_what_lies_outside_bit_by_bit(ready):
    x = picture()[None]
    mask = torch.zeros(1, 1, *SIZE)
    mask[..., 5:10, 5:10] = 1
    mask[..., 10:12, 5:10] = 0.5
    out = ready.inject(x, 1, mask=mask)
    free = ready.inject(x, 1)
    outside = (mask == 0).expand_as(x)
    assert torch.equal(out[outside], x[outside])
    torch.testing.assert_close(out[..., 5:10, 5:10], free[..., 5:10, 5:10])
    torch.testing.assert_close(out[..., 10:12, 5:10], (free + x)[..., 10:12, 5:10] / 2)


def test_short_chains_stay_nearer_to_a_picture_that_is_the_image(ready):
    x = ready.pyramid[-1]
    start = resize(resize(x, ready.sizes[-2]).clamp(-1, 1), SIZE).clamp(-1, 1)
    far, near = ((ready.inject(x, ready.scales - 1, gentle=gentle) - start).square().mean() for gentle in (False, True))
    assert 0 < near < far
    half = ready.run(start, ready.scales - 1, steps=round(ready.finer_chain / 2))
    torch.testing.assert_close(ready.inject(x, ready.scales - 1, gentle=True), half)
    assert torch.equal(ready.inject(x, 1, gentle=True, steps=3), ready.inject(x, 1, steps=3))


def test_noise_of_a_start_is_grey_and_as_smooth_as_the_scale_below(ready):
    x = torch.zeros(1, 3, *SIZE)
    noise = Streams(4, 1).randn((1, 1, *ready.sizes[0]))
    start = resize(0.1 * noise, ready.sizes[1]).expand(-1, 3, -1, -1)
    by_hand = ready.climb(start, 1, ready.sizes)
    found = ready.inject(x, 1, inject_noise=0.1, generator=Streams(4, 1))
    torch.testing.assert_close(found, by_hand, atol=1e-5, rtol=0)


@pytest.mark.parametrize("factor", [1.5, 2.0, 2.37])
def test_enlarged_pictures_have_exactly_the_size(ready, factor):
    x = ready.super_resolve(factor=factor, steps=1)
    assert x.shape[-2:] == (round(24 * factor), round(30 * factor))
    assert bool(x.isfinite().all())
    assert x.abs().max() <= 1


def test_a_factor_of_four_takes_six_steps_of_a_cube_root():
    sizes = growing_sizes((16, 21), 4.0, 2 ** (-1 / 3))
    assert len(sizes) == 6
    assert sizes[-1] == (64, 84)
    assert sizes[0] == (round(16 * 2 ** (1 / 3)), round(21 * 2 ** (1 / 3)))


def test_enlarged_pictures_agree_with_the_small_one(ready):
    x = ready.pyramid[-1]
    error = [
        (resize(ready.super_resolve(factor=2, back_project=back, steps=2), SIZE) - x).square().mean()
        for back in (True, False)
    ]
    assert error[0] < error[1]


def test_frames_move_smoothly_around_the_image(ready):
    frames = ready.animate(6, strength=0.05, generator=Streams(0, 1))
    assert frames.shape == (6, 3, *SIZE)
    still = ready.animate(3, strength=0.0)
    assert torch.equal(still[0], still[2])
    torch.testing.assert_close(still[:1], ready.recover(0), atol=1e-5, rtol=0)
    assert ready.animate(2, start_scale=1, size=(30, 30)).shape == (2, 3, 30, 30)
    from unveil.models.single_image_ebm.animation import recovery_field

    field = recovery_field(200, (6, 6), generator=Streams(0, 1))
    assert field.std().item() == pytest.approx(1, abs=1e-3)
    assert (field[1:] - field[:-1]).std() < 0.5 * field.std()


def test_what_moves_at_a_finer_scale_is_as_smooth_as_the_scale_below(ready, monkeypatch):
    starts = []
    monkeypatch.setattr(ready, "climb", lambda x, scale, sizes, **options: starts.append(x) or x)
    moved, still = ready.animate(3, start_scale=1, strength=0.01), ready.animate(1, start_scale=1, strength=0.0)
    field = starts[0] - starts[1]
    assert field.diff(dim=-1).std() < 1.2 * field.std()  # of white noise it is 1.41
    assert moved.shape == (3, 3, *ready.sizes[1])
    assert still.shape == (1, 3, *ready.sizes[1])


@pytest.mark.parametrize(
    ("use", "error", "said"),
    [
        (lambda m: m.inject(torch.full((1, 3, 20, 20), torch.nan), 1), DataError, "not finite"),
        (lambda m: m.super_resolve(torch.full((1, 3, 24, 30), torch.nan)), DataError, "not finite"),
        (
            lambda m: m.inpaint(torch.full((1, 3, 24, 30), torch.nan), torch.zeros(1, 1, 24, 30)),
            DataError,
            "not finite",
        ),
        (lambda m: m.inject(torch.zeros(1, 3, 20, 20), 1, inject_noise=torch.nan), ConfigError, "inject_noise is nan"),
        (lambda m: m.animate(2, strength=-1.0), ConfigError, "strength is -1"),
        (lambda m: m.sample(1, size=(24,)), ConfigError, "A size is"),
        (lambda m: m.inject(torch.zeros(1, 1, 9, 9), 1), ShapeError, r"takes pictures \(B, 3, H, W\)"),
        (lambda m: m.inject(torch.zeros(1, 3, 9, 9), 7), ConfigError, "this model takes 0"),
        (
            lambda m: m.inject(torch.zeros(1, 3, 20, 20), 1, mask=torch.zeros(1, 1, 9, 9)),
            ShapeError,
            "The mask has shape",
        ),
        (
            lambda m: m.inject(torch.zeros(2, 3, 24, 30), 1, mask=torch.ones(3, 1, 24, 30)),
            ShapeError,
            "The mask has shape",
        ),
        (lambda m: m.super_resolve(factor=1.0), ConfigError, "it must be above 1"),
        (lambda m: m.super_resolve(torch.zeros(1, 3, 20, 90)), ConfigError, "train a model on it"),
        (lambda m: m.super_resolve(torch.zeros(1, 3, 240, 300)), ConfigError, "it enlarges its own"),
        (lambda m: m.super_resolve(net_index=9), ConfigError, "names no trained energy"),
        (lambda m: m.inpaint(torch.zeros(1, 3, 20, 20), torch.zeros(1, 1, 9, 9)), ShapeError, "a mask"),
        (lambda m: m.animate(0), ConfigError, "frames is 0"),
        (lambda m: m.animate(2, pull=1.0), ConfigError, "between 0 and 1"),
    ],
)
def test_uses_that_cannot_be_are_refused(ready, use, error, said):
    with pytest.raises(error, match=said):
        use(ready)
