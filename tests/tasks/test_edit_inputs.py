"""The picture and the mask that an edit is given: their sizes, their files, and what is told of them."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from edit_scenes import marked, pasted
from PIL import Image

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.data import save_images
from unveil.tasks.edit import edit
from unveil.tasks.report import Quiet


def test_pictures_of_other_sizes_and_shapes(run, own, place):
    large = torch.nn.functional.interpolate(own[None], size=(120, 168), mode="bicubic")[0].clamp(-1, 1)
    save_images(large, place / "large.png", force=True)
    before = (place / "large.png").read_bytes()
    found = edit(run, place / "large.png", "style")
    assert found.images.shape[2:] == (40, 56)
    assert "scaled down to 56 x 40" in found.notes[0]
    assert (place / "large.png").read_bytes() == before
    assert found.notes[0].endswith("--keep-size enlarges the result again.")
    kept = edit(run, place / "large.png", "style", keep_size=True)
    assert kept.images.shape[2:] == (120, 168)
    assert kept.notes[0].endswith("a run that learns larger pictures (data.longest) draws finer.")
    still = edit(run, place / "large.png", "resize", size=(40, 60)).notes[0]  # which has no size to keep
    assert still.endswith("the file itself stays as it is.")
    tall = edit(run, torch.zeros(3, 60, 60), "paint")
    assert tall.images.shape[2:] == (47, 47)  # as many pixels as 40 x 56, in other proportions
    assert edit(run, torch.zeros(3, 84, 60), "style").images.shape[2:] == (56, 40)  # landscape learned, portrait given
    assert "was enlarged to 47 x 47" in edit(run, torch.zeros(3, 20, 20), "paint").notes[0]
    for task, size in (("paint", (9, 140)), ("edit", (20, 90))):
        with pytest.raises(ConfigError, match="proportions are too different"):
            edit(run, torch.zeros(3, *size), task)
    with pytest.raises(ConfigError, match="too small"):
        edit(run, None, "resize", size=(4, 200))
    for factor in (400.0, 1e308):
        with pytest.raises(ConfigError, match="pixels; ask for a smaller"):
            edit(run, own, "super-resolve", factor=factor)


def test_the_size_is_kept_and_far_from_the_mask_every_pixel(run, own):
    large = torch.nn.functional.interpolate(pasted(own)[None], size=(120, 168), mode="nearest")[0]
    mask = torch.nn.functional.interpolate(marked()[None, None], size=(120, 168), mode="nearest")[0, 0]
    for task in ("edit", "inpaint"):
        found = edit(run, large, task, mask=mask, keep_size=True).images[0]
        assert found.shape == (3, 120, 168)
        assert torch.equal(found[:, :, 160:], large[:, :, 160:])
        assert not torch.equal(found[:, 30:54, 60:90], large[:, 30:54, 60:90])


def test_a_kept_size_keeps_the_details_beside_what_was_changed(run, own):
    large = torch.nn.functional.interpolate(pasted(own)[None], size=(120, 168), mode="nearest")[0] * 0.9
    fine = (large + 0.05 * (-1.0) ** torch.arange(168)).clamp(-1, 1)  # stripes that the run has not seen
    mask = torch.nn.functional.interpolate(marked()[None, None], size=(120, 168), mode="nearest")[0, 0]
    found = edit(run, fine, "edit", mask=mask, scale=1, keep_size=True)
    assert torch.equal(found.given, fine)  # what is shown beside the result is the picture as it was given
    stripes = (found.images[0][..., 1:-1:2] - found.images[0][..., 2::2]).abs().mean(0)
    seam, inside = stripes[30:54, 29], stripes[40:44, 36:38]
    assert float(stripes[:, :8].mean()) > 0.05
    assert float(seam.mean()) < float(stripes[:, :8].mean())
    assert bool(inside.isfinite().all())


def test_a_mask_of_the_file_is_scaled_down_where_no_picture_is_given(run):
    large = marked().repeat_interleave(2, 0).repeat_interleave(2, 1)
    found, small = (edit(run, None, "inpaint", mask=mask).images for mask in (large, marked()))
    assert torch.equal(found[:, :, :8], small[:, :, :8])
    assert not torch.equal(found[:, :, 10:18, 20:30], run.model.pyramid[-1][:, :, 10:18, 20:30])
    for size in ((80, 80), (20, 28)):
        with pytest.raises(ShapeError, match="give the picture too"):
            edit(run, None, "inpaint", mask=torch.ones(size))


def test_a_speck_of_a_large_mask_is_heeded(run, own):
    large = torch.nn.functional.interpolate(own[None], size=(400, 560), mode="nearest")[0]
    speck = torch.zeros(400, 560)
    speck[150, 250] = 1
    found = edit(run, large, "inpaint", mask=speck)
    changed = (found.images[0] != found.given).any(0)
    assert changed.nonzero().tolist() == [[15, 25]]
    whole = edit(run, large, "inpaint", mask=speck, keep_size=True).images[0]
    assert not torch.equal(whole[:, 150, 250], large[:, 150, 250])
    assert torch.equal(whole[:, :100], large[:, :100])


def test_black_need_not_be_quite_black_at_any_size(run):
    dark = 0.08 + 0.9 * marked()
    large = dark.repeat_interleave(2, 0).repeat_interleave(2, 1)
    found, clean = (edit(run, None, "inpaint", mask=mask).images for mask in (large, marked()))
    assert torch.equal(found[:, :, :8], clean[:, :, :8])
    assert torch.equal(edit(run, None, "inpaint", mask=dark).images, clean)


def test_enlarging_to_the_size_of_the_picture_tells_how_far_it_is(run, own):
    class Bars(Quiet):
        def bar(self, title):
            return nullcontext(lambda done, total: told.append((done, total)))

    told = []
    large = torch.nn.functional.interpolate(own[None], size=(120, 168), mode="bicubic")[0].clamp(-1, 1)
    edit(run, large, "style", report=Bars())
    chains, told = told, []
    edit(run, large, "style", keep_size=True, report=Bars())
    assert told[: len(chains)] == chains
    assert len(told) > len(chains)
    assert told[-1][0] == told[-1][1]


def test_masks_that_are_drawn_in_transparency_are_told(run, own, place):
    pixels = np.zeros((40, 56, 4), np.uint8)
    pixels[..., 3] = marked().numpy() * 255
    Image.fromarray(pixels).save(place / "alpha.png")
    with pytest.raises(ConfigError, match=r"marks nothing.* transparent in places, and those count as black"):
        edit(run, pasted(own), "edit", mask=place / "alpha.png")


def test_files_that_are_missing_are_told_before_the_run_is_loaded(run, place, monkeypatch):
    monkeypatch.setattr("unveil.tasks.edit.open_run", None)
    for image, mask in ((place / "none.png", None), (place / "scene.png", place / "none.png")):
        with pytest.raises(DataError, match=r"none\.png' cannot be read"):
            edit(run.path, image, "edit", mask=mask)


def test_masks_are_files_too(run, own, place):
    Image.fromarray((marked().numpy() * 255).astype(np.uint8)).save(place / "mask.png")
    from_file, from_tensor = (edit(run, pasted(own), "edit", mask=mask) for mask in (place / "mask.png", marked()))
    assert torch.equal(from_file.images, from_tensor.images)


@pytest.mark.parametrize(
    ("mask", "error", "says"),
    [
        (torch.zeros(40, 56), ConfigError, "marks nothing"),
        (torch.ones(40, 56), ConfigError, "marks everything"),
        (torch.ones(20, 56), ShapeError, "has the size of its picture"),
        (torch.rand(40, 56), DataError, "neither black nor white"),
        (torch.where(torch.rand(40, 56) < 0.3, torch.nan, marked()), DataError, "neither black nor white"),
    ],
)
def test_masks_that_are_none(run, own, mask, error, says):
    for task in ("edit", "inpaint"):
        with pytest.raises(error, match=says):
            edit(run, pasted(own), task, mask=mask)
