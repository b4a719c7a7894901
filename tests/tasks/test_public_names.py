import ast
import subprocess
import sys
from pathlib import Path

import pytest

import unveil

SOURCE = Path(unveil.__file__).read_text()


@pytest.mark.parametrize("name", sorted({*unveil._HOMES, *unveil._ROOMS}))
def test_every_public_name_is_there(name):
    assert getattr(unveil, name) is not None
    assert name in dir(unveil)


def test_type_checkers_see_the_same_names():
    (block,) = (node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    assert {line.names[0].asname for line in block.body if isinstance(line, ast.ImportFrom)} == set(unveil._HOMES)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'sampel'"):
        _ = unveil.sampel


def test_importing_the_package_loads_nothing_heavy():
    program = "import sys, unveil; print({'torch', 'numpy', 'pydantic', 'typer'} & set(sys.modules))"
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(unveil.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "set()\n"
