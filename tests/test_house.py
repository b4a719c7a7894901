"""The house is kept: files are short, public things say what they are, and no check is switched off anywhere."""

import ast
import re
import statistics
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "unveil"
ROOMS = ("unveil", "tests", "examples", "bench", "docs")
LONGEST, MEDIAN = 400, 160
REASON = "This file is long because"
SHAPE = re.compile(
    r"\([^()]*,[^()]*\)|\(.*,\)|\(\)|\(([A-Z]|\.\.\.)\w*\)|[Ss]hape|scalar|[Aa]s for|are those of|arguments as|[Ss]ee `"
)
"""What a docstring has that tells shapes: (B, ...), (), (T), or whose they are."""


def sources(*rooms):
    return sorted(path for room in rooms for path in (REPOSITORY / room).rglob("*.py") if "_build" not in path.parts)


def length(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_median_file_is_short():
    assert statistics.median(length(path) for path in sources("unveil")) < MEDIAN


def test_no_file_is_long_without_a_reason_at_its_top():
    long = [path for path in sources(*ROOMS) if length(path) > LONGEST]
    unexplained = [path for path in long if REASON not in (ast.get_docstring(ast.parse(path.read_text())) or "")]
    assert not unexplained, f"more than {LONGEST} lines; split by idea, or begin the docstring with '{REASON}'"


@pytest.mark.parametrize(
    "mark", ["# " + "noqa", "# type: " + "ignore", "# pragma: " + "no cover", "# mypy: " + "ignore"]
)
def test_no_check_is_switched_off_in_a_file(mark):
    assert not [path for path in sources(*ROOMS) if mark in path.read_text(encoding="utf-8")]


def test_no_check_is_switched_off_in_the_settings():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    lint = settings["ruff"]["lint"] | tomllib.loads((PACKAGE / "ruff.toml").read_text(encoding="utf-8"))["lint"]
    assert not {"ignore", "extend-ignore", "per-file-ignores", "extend-per-file-ignores"} & lint.keys()
    assert not {"exclude", "extend-exclude"} & settings["ruff"].keys()
    assert not {"overrides", "exclude", "disable_error_code", "ignore_errors"} & settings["mypy"].keys()
    assert "coverage" not in settings  # nothing is left out of what is counted


def public_functions():
    """Every public function and method: (where, its class or None, itself)."""
    for path in sources("unveil"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            owner = node if isinstance(node, ast.ClassDef) else None
            if owner is not None and owner.name.startswith("_"):
                continue
            for thing in owner.body if owner else [node]:
                if isinstance(thing, ast.FunctionDef) and not thing.name.startswith("_"):
                    yield f"{path.relative_to(REPOSITORY)}:{thing.lineno} {thing.name}", owner, thing


def arguments(function, owner):
    given = function.args
    found = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    bound = owner is not None and not any(ast.unparse(mark) == "staticmethod" for mark in function.decorator_list)
    return found[1:] if bound else found


def test_every_public_function_is_typed():
    untyped = [
        where
        for where, owner, function in public_functions()
        if function.returns is None or any(argument.annotation is None for argument in arguments(function, owner))
    ]
    assert not untyped


def test_every_public_function_is_documented():
    assert not [where for where, _, function in public_functions() if not ast.get_docstring(function)]


def test_arguments_that_are_explained_are_there():
    """What a docstring lists under Args are names of arguments, or of attributes."""
    wrong = []
    for where, owner, function in public_functions():
        section = re.search(r"^Args:\n((?:    .*\n?|\n)+)", ast.get_docstring(function) or "", re.M)
        if section:
            told = re.findall(r"^    \*{0,2}(\w+(?:, \w+)*):", section[1], re.M)
            names = {argument.arg for argument in arguments(function, owner)}
            wrong += [f"{where}: {name}" for group in told for name in group.split(", ") if name not in names]
    assert not wrong


def exported():
    """What the `__init__` of rooms and of their parts name, as (module, name)."""
    for path in sources("unveil"):
        if path.name == "__init__.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("unveil"):
                    yield from ((node.module, alias.name) for alias in node.names)


def test_exported_functions_of_tensors_tell_their_shapes():
    named = set(exported())
    silent = []
    for where, owner, function in public_functions():
        module = ".".join(Path(where.partition(":")[0]).with_suffix("").parts).removesuffix(".__init__")
        if owner is not None or (module, function.name) not in named:
            continue
        types = [argument.annotation for argument in arguments(function, owner)] + [function.returns]
        takes = any(re.search(r"\bTensor\b", ast.unparse(kind)) for kind in types if kind is not None)
        if takes and not SHAPE.search(ast.get_docstring(function) or ""):
            silent.append(where)
    assert not silent
