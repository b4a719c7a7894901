"""What lies in a hole has no influence, and what lies around it stays."""

import pytest
import torch
from single_image_models import OPTIONS, SIZE, Picture, lively, model, picture
from torch.nn import functional

from unveil.core.random import Streams
from unveil.models.single_image_ebm import SingleImageEBM
from unveil.models.single_image_ebm.training import map_places
from unveil.pyramids import resize
from unveil.training.trainer import fit


@pytest.fixture(scope="module")
def ready():
    return lively()


def hole():
    mask = torch.zeros(1, *SIZE)
    mask[:, 8:14, 10:18] = 1
    return mask


def test_what_a_hole_shows_is_not_learned():
    found = []
    for content in (0.0, 0.9, float("nan")):
        x = torch.where(hole().bool(), torch.full_like(picture(), content), picture())
        given = model()
        fit(given, Picture(x, hole()), 3, OPTIONS, progress=False, device="cpu")
        found.append(given.state_dict())
    for other in found[1:]:
        assert all(torch.equal(value, other[name]) for name, value in found[0].items())
    assert given.has_hole


def test_positions_that_see_the_hole_do_not_count():
    known = torch.ones(1, 1, 20, 24)
    known[..., 9:11, 9:12] = 0
    places = map_places(known, 3)
    assert places.sum() == 20 * 24 - (2 + 6) * (3 + 6)
    everywhere = torch.ones(1, 1, 8, 8)
    everywhere[..., 4, 4] = 0
    assert torch.equal(map_places(everywhere, 5), everywhere)  # no patch is free of it


def test_known_pixels_stay_at_every_scale(ready, monkeypatch):
    image, mask = picture()[None], hole()[None]
    states = []
    run = SingleImageEBM.run

    def watched(self, x, scale, **options):
        end = run(self, x, scale, **options)
        value, known = options["known"]
        states.append(bool((end == value).expand_as(end)[known.bool().expand_as(end)].all()))
        return end

    monkeypatch.setattr(SingleImageEBM, "run", watched)
    known = (1 - mask).bool().expand_as(image)
    filled = ready.inpaint(image, mask, generator=Streams(0, 1))
    assert states == [True] * ready.scales
    assert torch.equal(filled[known], image[known])
    other = ready.inpaint(torch.where(known, image, torch.tensor(0.77)), mask, generator=Streams(0, 1))
    assert torch.equal(filled, other)
    assert ready.inpaint(image, mask, n=3, start_scale=1).shape == (3, 3, *SIZE)
    larger = resize(image, (48, 60)).clamp(-1, 1)
    big = functional.interpolate(mask, scale_factor=2)
    assert torch.equal(ready.inpaint(larger, big)[:, :, :10], larger[:, :, :10])


def test_a_hole_that_is_everywhere_at_a_coarse_scale_is_learned_around():
    grid = torch.zeros(1, *SIZE)
    grid[:, ::3], grid[:, :, ::3] = 1, 1
    found = model()
    fit(found, Picture(picture(), grid), 3, OPTIONS, progress=False, device="cpu")
    assert not bool(found.known[0].any())
    assert bool(found.known[-1].any())
    assert all(bool(parameter.isfinite().all()) for parameter in found.parameters())
    nowhere = torch.zeros(1, 1, 8, 8)
    assert torch.equal(map_places(nowhere, 2), torch.ones_like(nowhere))
