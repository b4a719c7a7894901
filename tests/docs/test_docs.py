"""The documentation tells the truth: its Python runs, its commands parse, its pictures are there, and it builds."""

import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import CLASSIFIER, DIFFUSION, tiny_run
from typer.main import get_command

from unveil.cli.app import app
from unveil.recipes import names, resolve

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
PAGES = [page for page in PAGES if not {"_build", "images"} & set(page.parts)]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
SETUP = re.compile(r"^<!-- setup\n(.*?)^-->$", re.M | re.S)
QUICK = re.compile(r"^<!-- quick: (.*?) -->$", re.M)


def name_of(page):
    return str(page.relative_to(REPOSITORY))


def blocks(page, language):
    """The blocks of a language, each with the number of its first line."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, m.start()) + 2, m[2]) for m in BLOCK.finditer(text) if m[1] == language]


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """What the pages take for granted: two trained runs, and a folder of pictures in two classes."""
    place = tmp_path_factory.mktemp("workplace")
    tiny_run(place / "runs" / "digits-ddpm")
    tiny_run(place / "runs" / "digits-features", "digits-features")
    random = np.random.default_rng(0)
    for kind in "ab":
        (place / "my_pictures" / kind).mkdir(parents=True)
        for i in range(8):
            pixels = random.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / "my_pictures" / kind / f"{i}.png")
    return place


@pytest.fixture
def here(workplace, tmp_path, monkeypatch):
    """A copy of the workplace as the current folder."""
    for folder in workplace.iterdir():
        subprocess.run(["cp", "-r", folder, tmp_path], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_python_of_a_page_runs(page, here):
    """All blocks of a page run in order in one namespace, in seconds.

    A page may carry, as HTML comments, a `setup` to run first and `quick: this -> that, ...` replacements that make its
    numbers small.
    """
    text = page.read_text(encoding="utf-8")
    replacements = [pair.split(" -> ") for line in QUICK.findall(text) for pair in line.split("; ")]
    for old, _ in replacements:
        assert any(old in code for _, code in blocks(page, "python")), f"{name_of(page)} has no {old!r} to replace"
    namespace = {"TINY": [*DIFFUSION, "training.sample_every=0"], "TINY_CLASSIFIER": CLASSIFIER}
    for setup in SETUP.findall(text):
        exec(setup, namespace)
    torch.manual_seed(0)
    for line, code in blocks(page, "python"):
        for old, new in replacements:
            code = code.replace(old, new)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile("\n" * (line - 1) + code, name_of(page), "exec"), namespace)


def commands(page):
    """The commands a page shows, as lists of words, with their lines."""
    for line, code in blocks(page, "console"):
        joined = code.replace("\\\n", "")
        for i, text in enumerate(joined.splitlines()):
            if text.startswith("$ "):
                yield line + i, shlex.split(text[2:], comments=True)


def arguments_of(words):
    """What is given to unveil in a command line; None where another program is called."""
    if words[0] == "unveil":
        return words[1:]
    return words[words.index("unveil") + 1 :] if "unveil" in words and "-m" in words else None


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")], ids=name_of)
def test_commands_of_a_page_exist(page):
    """Commands and options exist, recipes are known, and what is changed in them is accepted."""
    known = get_command(app).commands
    for line, words in commands(page):
        arguments = arguments_of(words)
        if arguments is None:
            assert words[0] in {"make", "git", "cd", "pip", "source", "python3.11", "python", "torchrun"}, (line, words)
            continue
        verb, *rest = arguments
        assert verb in known, f"{name_of(page)}:{line}: there is no command {verb}"
        if rest == ["--help"]:
            continue
        context = known[verb].make_context(verb, rest)  # raises where an option is unknown
        recipe, changes = context.params.get("recipe"), context.params.get("overrides") or []
        mistaken = "learning_rate" in " ".join(changes)
        if recipe in names() and not mistaken:
            resolve(recipe, changes)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_refers_to_is_there(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{name_of(page)} refers to {target}"


def test_yaml_of_the_pages_is_a_recipe():
    for page in PAGES:
        for _, code in blocks(page, "yaml"):
            resolve(code)


def test_pictures_are_small():
    sizes = {file.name: file.stat().st_size for file in (DOCS / "images").glob("*.png")}
    assert sizes["gallery.png"] < 200_000
    assert sum(sizes.values()) < 2_000_000


def test_the_reference_names_everything_public():
    """Rooms that name what is public in their __init__ are listed name by name."""
    reference = "\n".join(file.read_text(encoding="utf-8") for file in (DOCS / "reference").glob("*.rst"))
    for file in (REPOSITORY / "unveil").rglob("__init__.py"):
        room = ".".join(file.parent.relative_to(REPOSITORY).parts)
        if room in {"unveil", "unveil.cli", "unveil.recipes"}:
            continue
        for name in re.findall(r"import (\w+) as \1$", file.read_text(encoding="utf-8"), re.M):
            if name[0].isupper() and name.isupper():
                continue  # a constant, told in the text of its room
            listed = re.search(rf"auto\w+:: {re.escape(room)}\.{name}$", reference, re.M)
            assert listed or is_alias(room, name), f"docs/reference does not list {room}.{name}"


def is_alias(room, name):
    """Whether a name is a type alias, which has no documentation of its own."""
    value = getattr(__import__(room, fromlist=[name]), name)
    return not isinstance(value, type) and not hasattr(value, "__code__")


def test_the_documentation_builds(tmp_path):
    pytest.importorskip("furo")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", DOCS, tmp_path / "html"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert "<title>Unveil" in page
    scripts = re.findall(r'(?:src|href)="(https?:[^"]+)"', page)
    assert not [link for link in scripts if "sphinx-doc" not in link and "furo" not in link and "pradyunsg" not in link]
