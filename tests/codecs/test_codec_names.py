import subprocess
import sys

import pytest

from unveil.codecs import Layout, parse_name
from unveil.core.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "ratio", "planes"),
    [("VQ-8-8-8", 64, 3), ("PQ-32-8-8", 32, 6), ("OPQ-32-8-8", 32, 6), ("RQ-32-8-8", 32, 6), ("OPQ-32", 16, 4)],
)
def test_the_ratios_are_those_of_the_formula(name, ratio, planes):
    layout = parse_name(name)
    assert (layout.ratio, layout.planes, layout.name, layout.size) == (ratio, planes, name, 256)


def test_names_are_read_in_any_case_and_written_in_one():
    assert parse_name(" opq-12-6-6 ", bits=6, patch=4) == Layout("OPQ", (12, 6, 6), 4, 6)
    assert parse_name("opq-12-6-6", bits=6).counts == (2, 1, 1)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("OPQ", {}, "'OPQ' names no codec; a name is like OPQ-32-8-8"),
        ("OPQ-32-8", {}, "has 2 budgets"),
        ("LPQ-32-8-8", {}, "no quantizer LPQ; known are VQ, PQ, OPQ, RQ"),
        ("OPQ-30-8-8", {}, "30 bits do not divide into codes of 8"),
        ("OPQ-32-8-8", {"bits": 5}, "32 bits do not divide into codes of 5"),
        ("OPQ-24-8-8", {}, "the 64 pixels of a patch of 8 x 8 do not divide into 3 equal parts"),
        ("PQ-32-8-8", {"patch": 3}, "the 9 pixels"),
        ("VQ-16-8-8", {}, "VQ writes one code of 8 bits for each channel; take VQ-8-8-8"),
        ("VQ-16-16-16", {"bits": 16}, "a code has 1 to 8"),
        ("VQ-0-8-8", {}, "0 bits do not divide"),
        ("OPQ-32-8-8", {"patch": 1}, "patch is 1"),
        ("OPQ-32-8-8", {"patch": 100}, "the most are 64"),
        ("RQ-1024-8-8", {}, "more than the 512"),
    ],
)
def test_budgets_that_cannot_be_met(name, options, says):
    with pytest.raises(ConfigError, match=says):
        parse_name(name, **options)


def test_names_and_headers_need_no_torch():
    program = "import sys, unveil.codecs.headers; print('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
