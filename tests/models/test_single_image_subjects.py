"""What the energy-based model of a single image can be of, and what it refuses."""

import pytest
import torch
from single_image_models import model, picture, trained

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.models.single_image_ebm import SingleImageEBM
from unveil.models.single_image_ebm.corruption import corrupted
from unveil.networks.patch_energy import PatchEnergy


@pytest.mark.parametrize("kind", ["blur", "mask", "noise", "colours"])
def test_every_corruption_spoils_in_the_same_way_each_time(kind):
    x = picture()[None]
    assert torch.equal(corrupted(x, kind), corrupted(x, kind))
    assert 0.01 < (corrupted(x, kind) - x).square().mean().sqrt() < 1
    assert corrupted(x, kind).abs().max() <= 1
    found = trained(steps=2, corruption=kind)
    assert found.finished == found.scales


@pytest.mark.parametrize(
    ("image", "hole", "error", "said"),
    [
        (torch.zeros(3, 24, 30), None, DataError, "one colour everywhere"),
        (torch.tensor([0.5, -0.2, 0.1]).view(3, 1, 1).expand(3, 24, 30), None, DataError, "one colour everywhere"),
        (torch.full((3, 24, 30), float("nan")), None, DataError, "not finite"),
        (torch.randn(3, 24, 30) * 9, None, DataError, "leave"),
        (torch.zeros(3, 9, 30), None, ShapeError, "of an image of shape"),
        (torch.rand(3, 24, 30), torch.zeros(1, 9, 9), ShapeError, "The hole has shape"),
    ],
)
def test_images_that_cannot_be_learned_are_refused(image, hole, error, said):
    with pytest.raises(error, match=said):
        model().learn(image, hole)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"chain": 0}, "chain is 0"),
        ({"step_size": 0}, "must be above 0"),
        ({"noise": -1}, "noise is -1"),
        ({"corruption": "rain"}, "take blur"),
        ({"train_crop": 3}, "train_crop is 3"),
        ({"finer_share": 0}, "must be above 0"),
    ],
)
def test_models_that_cannot_be_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        model(**options)


def test_scales_and_energies_belong_together():
    with pytest.raises(ShapeError, match="give one a scale"):
        SingleImageEBM([PatchEnergy(3, (4,))], [(12, 12), (16, 16)])
    with pytest.raises(ShapeError, match="rise from the coarsest"):
        SingleImageEBM([PatchEnergy(3, (4,))] * 2, [(16, 16), (12, 12)])
