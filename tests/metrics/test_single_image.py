"""Measures of a model of one image: the distance of patch statistics, and how samples differ."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import linalg

from unveil.core.errors import DataError, ShapeError
from unveil.metrics import (
    FeatureSpace,
    diversity,
    measure_diversity,
    measure_single_image_distance,
    patch_space,
    single_image_distance,
)
from unveil.networks.inception import Inception


def picture(seed=0, size=(48, 60)):
    """Soft blobs with some grain, in colour."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, 3, size[0] // 6, size[1] // 6, generator=generator)
    soft = F.interpolate(coarse, size=size, mode="bicubic")[0]
    return (0.4 * soft + 0.1 * torch.randn(3, *size, generator=generator)).clamp(-1, 1)


def blurred(x, radius):
    side = 2 * radius + 1
    return F.avg_pool2d(F.pad(x[None], (radius,) * 4, mode="replicate"), side, 1)[0]


@pytest.fixture(scope="module")
def spaces():
    torch.manual_seed(0)
    network = Inception().eval().requires_grad_(False)
    for name, weight in network.named_parameters():
        if name.endswith("conv.weight"):
            torch.nn.init.kaiming_normal_(weight, nonlinearity="relu")
    return {"random": patch_space(), "inception": FeatureSpace("inception@0", network.patches)}


@pytest.mark.parametrize("name", ["random", "inception"])
def test_an_image_is_at_no_distance_from_itself_and_further_the_more_it_is_blurred(spaces, name):
    x, space = picture(), spaces[name]
    one, two, four = (blurred(x, radius) for radius in (1, 2, 4))
    same, *away = single_image_distance(torch.stack([x, one, two, four]), x, space).tolist()
    assert 0 <= same < 1e-3 < away[0] < away[1] < away[2]
    forth, back = (float(single_image_distance(a[None], b, space)) for a, b in ((x, two), (two, x)))
    assert forth == pytest.approx(back, rel=1e-6)


def test_the_distance_is_that_of_the_moments_of_all_places():
    x, y, space = picture(0, (96, 96)), picture(1, (96, 96)), patch_space()
    rows = [space.network(((z + 1) * 127.5).round()[None] / 127.5 - 1)[0].flatten(1).double().numpy() for z in (x, y)]
    (mean_x, cov_x), (mean_y, cov_y) = ((r.mean(1), np.cov(r)) for r in rows)
    root = linalg.sqrtm(cov_x @ cov_y).real
    expected = ((mean_x - mean_y) ** 2).sum() + np.trace(cov_x + cov_y - 2 * root)
    assert float(single_image_distance(x[None], y, space)) == pytest.approx(expected, rel=1e-4)


def test_what_was_shifted_is_nearer_than_another_one():
    x = picture(0, (72, 72))
    shifted, other = x.roll((7, 11), (1, 2)), picture(1, (72, 72))
    near, far = single_image_distance(torch.stack([shifted, other]), x).tolist()
    assert near < 0.7 * far


def test_sizes_may_differ_and_the_space_is_the_same_every_time():
    x, wide = picture(), picture(1, (48, 90))[None]
    assert torch.equal(single_image_distance(wide, x), single_image_distance(wide, x, patch_space()))
    grey = x.mean(0, keepdim=True)
    assert float(single_image_distance(grey[None], grey)) < 1e-3


def test_numbers_are_named_after_their_space_and_come_with_their_median(spaces):
    x = picture()
    samples = torch.stack([blurred(picture(seed), 1) for seed in range(3)])
    measure = measure_single_image_distance(samples, x)
    values = single_image_distance(samples, x)
    assert measure.name == "SIFID-random"
    assert (measure.count, measure.reference_count, measure.better) == (3, 1, "low")
    assert measure.value == pytest.approx(float(values.mean()))
    assert f"median {values.median():.4g}" in str(measure)
    assert "not resized" in measure.preprocessing
    assert measure_single_image_distance(samples, x, spaces["inception"]).name == "SIFID-inception@0"


def test_what_cannot_be_compared():
    x = picture()
    with pytest.raises(ShapeError, match="17 pixels"):
        single_image_distance(x[None, :, :12, :12], x)
    with pytest.raises(ShapeError, match=r"\(n, C, H, W\)"):
        single_image_distance(x, x)
    with pytest.raises(ShapeError, match="23 pixels"):
        Inception().patches(torch.zeros(1, 3, 20, 40))
    with pytest.raises(DataError, match="no file"):
        patch_space("nowhere.pth")


def test_places_of_inception_are_four_pixels_apart():
    with torch.no_grad():
        assert Inception().eval().patches(torch.zeros(1, 1, 23, 47)).shape == (1, 192, 2, 8)


def test_diversity_of_what_is_known():
    x = picture()
    assert diversity(x.expand(4, -1, -1, -1), x) == 0
    flat = torch.stack([torch.full((3, 8, 8), v) for v in (-0.5, 0.5)])
    assert diversity(flat, x) == pytest.approx(0.5 / float(x.mean(0).std(correction=0)))
    # Independent pixels with the spread of the image's own: 1.
    grain = torch.randn(400, 1, 10, 10, generator=torch.Generator().manual_seed(0))
    assert diversity(grain, torch.randn(1, 200, 200, generator=torch.Generator().manual_seed(1))) == pytest.approx(
        1, abs=0.02
    )


def test_diversity_comes_with_an_interval():
    grain = torch.rand(40, 3, 10, 10, generator=torch.Generator().manual_seed(0)) * 2 - 1
    measure = measure_diversity(grain, picture())
    assert measure.better == "high"
    assert measure.count == 40
    low, high = measure.interval
    assert low < measure.value < high < low + 0.2
    assert measure_diversity(grain[:2], picture()).interval is None
    assert math.isfinite(measure_diversity(grain[:2], picture()).value)
    with pytest.raises(ShapeError, match="two samples"):
        diversity(grain[:1], picture())
    with pytest.raises(DataError, match="one grey value"):
        diversity(grain, torch.zeros(3, 8, 8))
