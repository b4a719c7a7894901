import io

import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from unveil.core.errors import ConfigError, DataError
from unveil.metrics import auroc, installed_formats, lossless_bits


def pictures():
    generator = torch.Generator().manual_seed(0)
    flat = torch.full((2, 3, 32, 32), 77, dtype=torch.uint8)
    ramp = torch.arange(32, dtype=torch.uint8).reshape(1, 1, 1, 32).expand(2, 3, 32, 32) * 4
    photo = ramp + torch.randint(0, 8, ramp.shape, generator=generator, dtype=torch.uint8)
    noise = torch.randint(0, 256, (2, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return flat, photo, noise


@pytest.mark.parametrize("formats", [("png",), ("webp",), ("png", "webp"), ("lzma",)])
def test_simple_pictures_take_few_bits(formats):
    flat, photo, noise = (lossless_bits(x, formats) for x in pictures())
    assert bool((flat < photo).all())
    assert bool((photo < noise).all())
    assert float(flat.max()) < 0.3
    assert 8 <= float(noise.min()) <= float(noise.max()) < 9.5


def test_the_smallest_file_counts():
    for x in pictures():
        both = lossless_bits(x, ("png", "webp"))
        assert torch.equal(both, torch.minimum(lossless_bits(x, ("png",)), lossless_bits(x, ("webp",))))


def test_bits_are_those_of_a_file_that_comes_back_as_it_was():
    x = pictures()[2][:1]
    file = io.BytesIO()
    Image.fromarray(x[0].permute(1, 2, 0).numpy()).save(file, "PNG", optimize=True)
    assert float(lossless_bits(x, ("png",))) == len(file.getvalue()) * 8 / (3 * 32 * 32)
    grey = torch.zeros(1, 1, 16, 20, dtype=torch.uint8)
    assert float(lossless_bits(grey)) < 3


def test_what_has_no_complexity_is_refused():
    with pytest.raises(DataError, match="uint8"):
        lossless_bits(torch.rand(1, 3, 32, 32))
    with pytest.raises(DataError, match="Pictures are"):
        lossless_bits(torch.zeros(3, 32, 32, dtype=torch.uint8))
    with pytest.raises(ConfigError, match="packed as flif; installed are png"):
        lossless_bits(pictures()[0], ("flif",))
    with pytest.warns(UserWarning, match="smaller than the headers"):
        lossless_bits(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    assert {"png", "lzma"} <= set(installed_formats())


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    ordinary = torch.randint(0, 20, (50,), generator=generator).double()  # with ties
    strange = torch.randint(5, 30, (40,), generator=generator).double()
    truth = [0] * 50 + [1] * 40
    assert auroc(ordinary, strange) == pytest.approx(roc_auc_score(truth, torch.cat([ordinary, strange]).numpy()))
    assert auroc(torch.zeros(3), torch.ones(2)) == 1
    assert auroc(torch.ones(3), torch.zeros(2)) == 0
    assert auroc(torch.ones(3), torch.ones(2)) == 0.5
    with pytest.raises(DataError, match="empty"):
        auroc(torch.ones(3), torch.ones(0))
    with pytest.raises(DataError, match="not finite"):
        auroc(torch.ones(3), torch.tensor([float("nan")]))
