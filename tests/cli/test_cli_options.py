import pytest

from unveil.cli.options import read_numbers, read_size
from unveil.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "size"), [(None, None), ("480", (480, 480)), ("720x1280", (720, 1280)), ("32X48", (32, 48))]
)
def test_a_size_is_two_sides_or_one_of_a_square(text, size):
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "720x", "8x0", "1x2x3", "big", "-4x4", "1.5"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ConfigError, match="write height and width in pixels, such as 256x640"):
        read_size(text)


def test_numbers_come_with_commas_between():
    assert read_numbers(None, "--betas") is None
    assert read_numbers("-1,0.5, 2", "--betas") == (-1, 0.5, 2)
    for text in ("", "1;2", "1,,2"):
        with pytest.raises(ConfigError, match=r"--betas is '.*'; write numbers with commas between"):
            read_numbers(text, "--betas")
