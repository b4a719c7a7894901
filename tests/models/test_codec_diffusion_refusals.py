"""What a diffusion on codes refuses."""

import pytest
import torch
from codec_models import blank, digit_codec, network, small, some_digits
from torch import nn

from unveil.codecs import Layout, parse_name
from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.models.codec_diffusion import CodecDiffusion, Refiner
from unveil.schedules import Discrete, GeometricVE


@pytest.fixture(scope="module")
def digits():
    return some_digits()


@pytest.fixture(scope="module")
def codec():
    return digit_codec()


def test_continuous_codes_need_an_order(digits):
    with pytest.raises(ConfigError, match="is not ordered, and continuous codes need an order"):
        small(blank(ordered=False), "continuous")
    small(blank(ordered=False), "categorical")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"codes": "sorted"}, "'continuous' or 'categorical'"),
        ({"min_snr": 0.0}, "min_snr is 0.0; it must be above 0"),
        ({"relaxation": -1.0}, "relaxation is -1.0"),
        ({"image_weight": -1.0}, "image_weight"),
        ({"cross_entropy": float("nan")}, "cross_entropy"),
        ({"refiner": Refiner(nn.Identity())}, "nothing for a refiner to mend"),
    ],
)
def test_what_cannot_work_is_refused(codec, options, said):
    with pytest.raises(ConfigError, match=said):
        CodecDiffusion(network(), codec, Discrete.linear(50), (1, 8, 8), **options)


def test_arguments_are_looked_at(codec, digits):
    model, x = small(codec), digits.batch(range(2))[0]
    with pytest.raises(ConfigError, match="variance-preserving"):
        CodecDiffusion(network(), codec, GeometricVE(), (1, 8, 8))
    with pytest.raises(ShapeError, match="for pictures in grey"):
        CodecDiffusion(network(), codec, Discrete.linear(50), (3, 8, 8))
    with pytest.raises(ShapeError, match=r"made for pictures of shape \(1, 8, 8\)"):
        model.loss(x.repeat(1, 1, 2, 2))
    with pytest.raises(DataError, match="floating point"):
        model.loss((x * 127).to(torch.uint8))
    with pytest.raises(ShapeError, match="categorical codes need 32 channels"):
        CodecDiffusion(network("continuous"), codec, Discrete.linear(50), (1, 8, 8)).loss(x)
    for options, said in (
        ({"sampler": "heun"}, "ancestral or ddim"),
        ({"temperature": -0.1}, "temperature"),
        ({"steps": 0}, "steps"),
        ({"steps": 51}, "51 sampling steps were asked of a chain of 50"),
    ):
        with pytest.raises(ConfigError, match=said):
            model.sample(2, **options)
    with pytest.raises(ConfigError, match="no refiner"):
        model.refiner_loss(x)
    with pytest.raises(ConfigError, match="have no logits"):
        small(codec, "continuous").logits(torch.zeros(1, 2, 2, 2), torch.tensor(0.5))


@pytest.mark.parametrize(
    ("spread", "share"), [((-1.0, 2.0), 0.2), ((3.0, 2.0), 0.2), ((0.5, 8.0), 0.0), ((0.5, 8.0), 2.0)]
)
def test_a_refiner_has_bounds(spread, share):
    with pytest.raises(ConfigError, match="refiner"):
        Refiner(nn.Identity(), spread=spread, share=share)


def test_a_layout_is_all_that_a_run_needs_to_be_built_again():
    assert Layout("OPQ", (8,), 4, 4) == parse_name("OPQ-8", patch=4, bits=4)
