import pytest
import torch

from unveil.core.errors import ConfigError
from unveil.metrics import Measure
from unveil.metrics.intervals import jackknife, mean_interval, share_interval


def measure(value=1.0, **changes):
    return Measure(**{"name": "psnr", "value": value, "count": 10, "split": "test", "preprocessing": "1x8x8"} | changes)


def test_it_says_all_that_belongs_to_the_number():
    text = str(
        measure(
            12.3456, name="KID", interval=(11.0, 13.5), interval_kind="95%, jackknife", count=1000, split="generated",
            reference_count=5000, reference_split="test", unit="x", notes=("mean of 9 subsets",),
        )
    )  # fmt: skip
    assert text == (
        "KID = 12.35 x (11 to 13.5: 95%, jackknife); 1,000 generated against 5,000 test; 1x8x8; low is good; "
        "mean of 9 subsets"
    )


@pytest.mark.parametrize("missing", [{"count": 0}, {"split": ""}, {"preprocessing": ""}])
def test_a_bare_number_is_refused(missing):
    with pytest.raises(ConfigError, match="a number means nothing"):
        measure(**missing)


def test_only_numbers_of_the_same_kind_are_compared():
    assert measure(1.0).beats(measure(2.0))
    assert measure(2.0, better="high").beats(measure(1.0, better="high"))
    assert measure(1.0, split="a").beats(measure(2.0, split="b"))  # whose images they are is what is compared
    for changes in ({"count": 11}, {"name": "ssim"}, {"preprocessing": "1x9x9"}, {"reference_count": 5}):
        with pytest.raises(ConfigError, match="cannot be compared"):
            measure().beats(measure(**changes))
    with pytest.raises(ConfigError, match="samples: 10 and 11"):
        measure().beats(measure(count=11))


def test_the_interval_of_a_mean_holds_it_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    held = 0
    for _ in range(400):
        low, high = mean_interval(torch.randn(8, generator=generator) * 2 + 5)
        held += low <= 5 <= high
    assert 0.92 < held / 400 < 0.98
    assert mean_interval(torch.tensor([1.0])) is None
    assert mean_interval(torch.tensor([1.0, torch.inf])) is None


def test_a_mean_carries_its_interval():
    values = torch.tensor([1.0, 2.0, 3.0])
    found = Measure.mean("psnr", values, split="test", preprocessing="none", unit="dB", better="high")
    assert (found.value, found.count) == (2.0, 3)
    reach = 4.302652729911275 / 3**0.5  # Student's 97.5% point for two degrees of freedom
    assert found.interval == pytest.approx((2 - reach, 2 + reach))
    with pytest.raises(ConfigError, match="count=0"):
        Measure.mean("psnr", torch.zeros(0), split="test", preprocessing="none")


def test_the_interval_of_a_share_is_wilsons():
    assert share_interval(0, 10) == pytest.approx((0.0, 0.27753), abs=1e-5)
    assert share_interval(10, 10) == pytest.approx((0.72247, 1.0), abs=1e-5)
    assert share_interval(5, 10) == pytest.approx((0.23659, 0.76341), abs=1e-5)


def test_the_jackknife_knows_the_error_of_a_mean_and_the_bias_of_a_variance():
    x = torch.randn(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rest = torch.stack([x[torch.arange(40) != i] for i in range(40)])
    mean = jackknife(x.mean().item(), rest.mean(1))
    assert mean.error == pytest.approx((x.std() / 40**0.5).item(), rel=1e-10)
    assert mean.bias == pytest.approx(0, abs=1e-12)
    variance = jackknife(x.var(correction=0).item(), rest.var(1, correction=0))
    assert variance.bias == pytest.approx((x.var(correction=0) - x.var()).item(), rel=1e-9)
