"""What surrounds the chains when a picture is edited: palettes, masks, blending and light."""

import pytest
import torch
from scipy import ndimage

from unveil.core.errors import ConfigError, ShapeError
from unveil.models.single_image_ebm.editing import (
    blend,
    changed,
    keep_light,
    match_colours,
    match_palette,
    palette,
    soft_mask,
)


def flat(*areas):
    """Stripes of plain colours, (3, 8, sum of widths)."""
    return torch.cat([torch.tensor(colour).view(3, 1, 1).expand(3, 8, wide) for colour, wide in areas], 2)


RED, BLUE, GREY = (0.8, -0.6, -0.6), (-0.7, -0.5, 0.9), (0.0, 0.0, 0.0)


def test_a_palette_holds_the_colours_of_flat_areas_the_largest_first():
    image = flat((RED, 20), (BLUE, 12), (GREY, 4))
    found = palette(image, 3)
    torch.testing.assert_close(found, torch.tensor([RED, BLUE, GREY]))
    assert torch.equal(palette(image, 9), found)  # there are no more
    torch.testing.assert_close(palette(image, 1)[0], image.flatten(1).mean(1))


def test_a_palette_finds_the_middles_of_clouds():
    generator = torch.Generator().manual_seed(0)
    clouds = flat((RED, 60), (BLUE, 40)) + 0.05 * torch.randn(3, 8, 100, generator=generator)
    assert (palette(clouds, 2) - torch.tensor([RED, BLUE])).abs().max() < 0.02


def test_a_drawing_takes_the_nearest_colours():
    drawing = flat(((0.5, -0.5, -0.4), 5), ((-0.6, -0.6, 0.6), 5))
    matched = match_palette(drawing, torch.tensor([RED, BLUE, GREY]))
    torch.testing.assert_close(matched, flat((RED, 5), (BLUE, 5)))
    with pytest.raises(ShapeError, match="does not fit"):
        match_palette(drawing[:1], torch.tensor([RED]))


def test_colours_move_to_those_of_another_picture_and_by_no_more_than_is_needed():
    generator = torch.Generator().manual_seed(0)
    given, like = (torch.randn(3, 40, 50, generator=generator).mul(0.1) for _ in range(2))
    like = 0.2 + torch.tensor([[1.5, 0.3, 0.0], [0.2, 0.8, 0.1], [0.4, 0.0, 1.0]]).mm(like.flatten(1)).view(3, 40, 50)
    moved, goal = match_colours(given, like).flatten(1), like.flatten(1)
    torch.testing.assert_close(moved.mean(1), goal.mean(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(moved.cov(), goal.cov(), atol=1e-3, rtol=0)
    torch.testing.assert_close(match_colours(given, given), given)
    torch.testing.assert_close(match_colours(given, given + 0.1), given + 0.1)
    brighter = match_colours(given[:1], 2 * given[:1] + 0.1)  # of grey pictures: mean and spread
    assert torch.corrcoef(torch.stack([brighter.flatten(), given[0].flatten()]))[0, 1] > 0.999
    assert (match_colours(flat((RED, 20)), like) - goal.mean(1).view(3, 1, 1)).abs().max() < 1e-5  # of one colour
    with pytest.raises(ShapeError, match="same channels"):
        match_colours(given, like[:1])


@pytest.mark.parametrize("grow", [0, 1, 3.5, 6])
def test_a_mask_grows_by_a_disk(grow):
    mask = torch.zeros(30, 41)
    mask[12:15, 20:30] = 1
    mask[0, 0] = 1
    expected = ndimage.distance_transform_edt(mask.numpy() == 0) <= grow + 1e-9
    assert torch.equal(soft_mask(mask, grow, 0).bool(), torch.from_numpy(expected))


def test_a_soft_mask_is_one_inside_and_nothing_far_away():
    mask = torch.zeros(60, 60)
    mask[28:32, 28:32] = 1
    soft = soft_mask(mask, 8, 2)
    assert soft.max() == 1
    assert float(soft[30, 30]) > 0.99
    assert (soft[:, :10] == 0).all()
    assert 0.2 < float(soft[30, 31 + 8]) < 0.8
    torch.testing.assert_close(soft, soft.T)
    torch.testing.assert_close(soft_mask(mask, 0, 3).max(), torch.tensor(1.0))  # a small one is brought back to 1
    for broken, error in ((mask * 0.5, ShapeError), (mask[None], ShapeError), (mask * 0, ConfigError)):
        with pytest.raises(error):
            soft_mask(broken, 1, 1)


def test_blending_leaves_what_is_not_marked_to_the_bit():
    generator = torch.Generator().manual_seed(0)
    made, original = torch.rand(2, 3, 40, 40, generator=generator), torch.rand(3, 40, 40, generator=generator)
    mask = torch.zeros(40, 40)
    mask[15:20, 15:20] = 1
    soft = soft_mask(mask, 3, 1)
    out = blend(made, original.expand_as(made), soft)
    outside = soft == 0
    assert outside.any()
    assert torch.equal(out[..., outside], original.expand_as(made)[..., outside])
    torch.testing.assert_close(out, soft * made + (1 - soft) * original)
    assert torch.equal(blend(made, original.expand_as(made), torch.ones(40, 40)), made)
    with pytest.raises(ShapeError, match="one shape"):
        blend(made, original[:, 1:], soft)


def test_what_was_changed_is_found_and_specks_are_not():
    original = torch.zeros(3, 30, 30)
    image = original + 0.02
    image[:, 10:20, 5:15] = 0.7
    image[:, 25, 25] = 0.9
    found = changed(image, original)
    assert found.sum() == 100
    assert found[10:20, 5:15].all()
    assert not changed(original, original).any()


def test_light_is_kept_and_colours_are_not():
    generator = torch.Generator().manual_seed(0)
    painted, content = (torch.rand(3, 9, 9, generator=generator) * 0.4 - 0.2 for _ in range(2))
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    out = keep_light(painted[None], content)
    torch.testing.assert_close((out * weights).sum(1), (content * weights).sum(0)[None])
    torch.testing.assert_close(out[0, 0] - out[0, 1], painted[0] - painted[1])
    assert torch.equal(keep_light(painted[None, :1], content[:1]), content[None, :1])
