import pytest
import torch

from unveil.core.errors import ConfigError, DataError
from unveil.core.random import Streams
from unveil.data import dequantise, open_images


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_each_value_stays_in_its_bin_and_fills_it(levels):
    value = torch.arange(levels).repeat(400, 1)
    real = value * (2 / (levels - 1)) - 1
    for x in (value.to(torch.uint8), real, real.double()):
        y = dequantise(x, torch.Generator().manual_seed(0), levels=levels)
        place = (y.double() + 1) * levels / 2 - value
        assert place.min() >= -1e-4
        assert place.max() <= 1 + 1e-4
        torch.testing.assert_close(place.mean(), torch.tensor(0.5).double(), rtol=0, atol=0.03)
        torch.testing.assert_close(place.var(), torch.tensor(1 / 12).double(), rtol=0, atol=0.01)


def test_a_row_does_not_depend_on_the_others():
    x = open_images("digits").batch(range(8))[0]
    whole = dequantise(x, Streams(0, 8), levels=17)
    assert torch.equal(dequantise(x[3:5], Streams(0, [3, 4]), levels=17), whole[3:5])
    assert whole.min() >= -1
    assert whole.max() <= 1


def test_the_density_of_even_pixels_costs_eight_bits():
    x = dequantise(torch.randint(0, 256, (1000,), dtype=torch.uint8))
    assert (x.abs() <= 1).all()  # uniform on [-1, 1]: p = 1/2, so 1 bit, and log2(256 / 2) = 7


@pytest.mark.parametrize(
    "x", [torch.tensor([17], dtype=torch.uint8), torch.tensor([1.2]), torch.tensor([float("nan")])]
)
def test_other_numbers_are_refused(x):
    with pytest.raises(DataError, match=r"17 levels are uint8 in 0\.\.16 or floats in \[-1, 1\]"):
        dequantise(x, levels=17)
    with pytest.raises(ConfigError, match="levels=1"):
        dequantise(x, levels=1)
