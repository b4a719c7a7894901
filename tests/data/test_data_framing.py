import pytest

from unveil.core.errors import ConfigError, DataError
from unveil.data.framing import Frame


@pytest.mark.parametrize(
    ("frame", "size", "resampled"),
    [
        (Frame(), (30, 40), (30, 40)),
        (Frame((10, 10)), (30, 40), (10, 13)),  # the short side is the size
        (Frame((10, 20)), (30, 40), (15, 20)),  # a wide crop is covered by its width
        (Frame((10, 10), resize=False), (30, 40), (30, 40)),
        (Frame((10, 10), resize=20), (30, 40), (20, 27)),
        (Frame((10, 10), resize=99), (30, 40), (30, 40)),  # nothing is enlarged unasked
        (Frame((10, 10), resize=5), (30, 40), (10, 13)),  # but a crop is always covered
        (Frame((10, 10), resize=60, upsample=True), (30, 40), (60, 80)),
        (Frame((10, 20), "none"), (30, 40), (10, 20)),
        (Frame((60, 60), upsample=True), (30, 40), (60, 80)),
        (Frame((60, 60), resize=False, upsample=True), (30, 40), (60, 80)),
    ],
)
def test_sizes_before_the_crop(frame, size, resampled):
    assert frame.resampled(*size, "it") == resampled


def test_the_centre():
    assert Frame((10, 10)).kept(30, 41) == (slice(10, 20), slice(15, 25))
    assert Frame((10, 10), "random").kept(30, 41) == (slice(0, 30), slice(0, 41))


@pytest.mark.parametrize("crop", ["center", "random", "none"])
@pytest.mark.parametrize("resize", [True, False, 100])
def test_a_small_picture_is_an_error_that_names_all_sizes(crop, resize):
    with pytest.raises(
        DataError, match=r"a\.png is 20x40 pixels .* smaller than the 32x32 asked for.*be enlarged.*data\.upsample=true"
    ):
        Frame((32, 32), crop, resize).resampled(20, 40, "a.png")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": "middle"}, "crop 'middle'"),
        ({"size": (0, 4)}, r"size \(0, 4\)"),
        ({"crop": "random"}, "need a size"),
        ({"size": (4, 4), "resize": 0}, "resize 0"),
    ],
)
def test_options_without_a_meaning(options, message):
    with pytest.raises(ConfigError, match=message):
        Frame(**options)
