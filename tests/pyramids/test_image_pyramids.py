"""Scales of exact sizes, images without aliases, and holes of which nothing is left."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unveil.core.errors import ConfigError, ShapeError
from unveil.pyramids import image_pyramid, masked_pyramid, masked_resize, resize, scale_sizes, scaled_sizes


def test_the_sizes_of_the_paper():
    sizes = scale_sizes(250, 250, min_size=25, scales=8)
    assert sizes == [(side, side) for side in (25, 35, 48, 67, 93, 129, 180, 250)]
    assert scale_sizes(51, 64, min_size=20, scales=4) == [(20, 25), (27, 34), (37, 47), (51, 64)]


@settings(deadline=None, max_examples=60)
@given(st.integers(22, 700), st.integers(22, 700), st.integers(11, 40))
def test_sizes_rise_from_the_least_to_the_images_own(height, width, least):
    if min(height, width) < np.ceil(least / 0.95):
        with pytest.raises(ConfigError, match=f"must be {int(np.ceil(least / 0.95))} or more"):
            scale_sizes(height, width, min_size=least)
        return
    sizes = scale_sizes(height, width, min_size=least)
    assert sizes[-1] == (height, width)
    assert min(sizes[0]) == least
    assert len(sizes) >= 2
    assert all(a <= b for low, high in pairwise(sizes) for a, b in zip(low, high, strict=True))
    shares = [min(low) / min(high) for low, high in pairwise(sizes)]
    assert all(0.45 < share < 1 for share in shares)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"height": 20, "width": 300}, "20 pixels on its short side: the short side must be 22 or more"),
        ({"height": 100, "width": 100, "scales": 40}, "nearly the same size"),
        ({"height": 400, "width": 400, "scales": 2}, "only 0.05 of the next"),
        ({"height": 100, "width": 100, "scales": 1}, "scales is 1"),
        ({"height": 100, "width": 100, "ratio": 0.99}, "ratio=0.99"),
        ({"height": 0, "width": 100}, "height is 0"),
    ],
)
def test_pyramids_that_cannot_be_are_refused(arguments, said):
    with pytest.raises(ConfigError, match=said):
        scale_sizes(**arguments)


def test_other_outputs_have_other_sizes_at_every_scale():
    sizes = [(20, 25), (27, 34), (37, 47), (51, 64)]
    assert scaled_sizes(sizes, (51, 64)) == sizes
    assert scaled_sizes(sizes, (51, 128)) == [(20, 50), (27, 68), (37, 94), (51, 128)]
    assert scaled_sizes(sizes, (25, 65))[-1] == (25, 65)
    assert scaled_sizes(sizes, (1, 1))[0] == (1, 1)


def test_resizing_is_linear_and_keeps_constants():
    a, b = torch.randn(2, 3, 31, 40).double(), torch.randn(2, 3, 31, 40).double()
    for size in ((17, 13), (50, 77), (31, 40)):
        torch.testing.assert_close(resize(2 * a - b, size), 2 * resize(a, size) - resize(b, size))
        torch.testing.assert_close(resize(torch.ones_like(a), size), torch.ones(2, 3, *size).double())
        assert resize(a, size).shape == (2, 3, *size)
    assert resize(a, (31, 40)) is a


def test_resizing_agrees_with_pillow_without_its_rounding():
    x = torch.rand(1, 1, 45, 60)
    theirs = np.asarray(Image.fromarray(x[0, 0].numpy(), mode="F").resize((23, 17), Image.Resampling.BICUBIC))
    torch.testing.assert_close(resize(x, (17, 23))[0, 0], torch.from_numpy(theirs.copy()), atol=1e-5, rtol=0)


def test_stripes_that_are_too_fine_become_grey_rather_than_other_stripes():
    stripes = torch.cos(torch.arange(120) * torch.pi * 0.9).expand(1, 1, 120, 120)
    small = resize(stripes, (30, 30))
    assert small[..., 3:-3, 3:-3].abs().max() < 0.05


def test_every_scale_is_made_from_the_full_image():
    x = torch.rand(1, 3, 51, 64) * 2 - 1
    sizes = scale_sizes(51, 64, scales=4)
    scales = image_pyramid(x, sizes)
    assert [tuple(scale.shape[-2:]) for scale in scales] == sizes
    assert torch.equal(scales[-1], x)
    torch.testing.assert_close(scales[1], resize(x, sizes[1]).clamp(-1, 1))
    assert max(scale.abs().max() for scale in scales) <= 1
    with pytest.raises(ShapeError, match="which is larger"):
        image_pyramid(x, [(52, 64)])


# --- holes -----------------------------------------------------------------------------------------------------------


def hole():
    known = torch.ones(1, 1, 40, 50)
    known[..., 12:25, 20:33] = 0
    return known


def test_nothing_of_a_hole_is_left_at_any_scale():
    x, known = torch.rand(1, 3, 40, 50) * 2 - 1, hole()
    other = torch.where(known.bool(), x, torch.full_like(x, float("nan")))
    sizes = [(20, 25), (28, 35), (40, 50)]
    for (a, seen), (b, also) in zip(masked_pyramid(x, known, sizes), masked_pyramid(other, known, sizes), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(seen, also)
        assert 0 < seen.mean() < 1
        assert bool((a.abs() <= 1).all())
    assert torch.equal(a * known, x * known)
    assert torch.equal(seen, known)


def test_constants_stay_constant_around_a_hole():
    x = torch.full((1, 1, 40, 50), 0.4)
    value, _ = masked_resize(x, hole(), (23, 29))
    torch.testing.assert_close(value, torch.full_like(value, 0.4))


def test_known_pixels_are_those_of_an_image_without_a_hole():
    x = torch.rand(1, 3, 40, 50)
    value, seen = masked_resize(x, hole(), (20, 25))
    torch.testing.assert_close(value * seen, resize(x, (20, 25)).clamp(-1, 1) * seen, atol=2e-3, rtol=0)
    assert torch.equal(masked_resize(x, torch.ones(1, 1, 40, 50), (20, 25))[1], torch.ones(1, 1, 20, 25))


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (torch.ones(1, 1, 4, 5), "images of shape"),
        (torch.full((1, 1, 40, 50), 0.5), "holds 0 and 1 alone"),
        (torch.zeros(1, 1, 40, 50), "covers the whole image"),
    ],
)
def test_masks_that_cannot_be_are_refused(known, said):
    with pytest.raises(ShapeError, match=said):
        masked_resize(torch.zeros(1, 3, 40, 50), known, (20, 25))


def test_what_is_no_image_or_no_size_is_refused():
    with pytest.raises(ShapeError, match=r"are \(B, C, H, W\)"):
        resize(torch.zeros(3, 4, 5), (2, 2))
    with pytest.raises(ShapeError, match="1 or more"):
        resize(torch.zeros(1, 3, 4, 5), (0, 2))
