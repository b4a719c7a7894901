"""The documentation tells the truth: its pages can be followed, its pictures are there, and it builds."""

import io
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import shrinking
from typer.main import get_command

import unveil.tasks.train
from unveil.cli.app import app, run
from unveil.recipes import names, resolve

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
PAGES = [page for page in PAGES if not {"_build", "images"} & set(page.parts)]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
NAMED = re.compile(r"# ([\w-]+\.yaml)\b")
START = DOCS / "start.md"


def name_of(page):
    return str(page.relative_to(REPOSITORY))


def all_blocks(page):
    """The blocks of a page: language, the number of the first line, and what is in it."""
    text = page.read_text(encoding="utf-8")
    return [(m[1], text.count("\n", 0, m.start()) + 2, m[2]) for m in BLOCK.finditer(text)]


def blocks(page, language):
    """The blocks of a language, each with the number of its first line."""
    return [(line, code) for kind, line, code in all_blocks(page) if kind == language]


@contextmanager
def short_trainings():
    """Make every network small, every training and every walk short and every tolerance wide, and change nothing else."""

    def shortened(*arguments, **options):
        given = planned(*arguments, **options)
        changes = shrinking(given.recipe)
        steps = given.recipe.training.steps
        if steps > 100:
            changes = [*changes, f"training.steps={max(2, steps // 500)}"]
        return replace(given, recipe=resolve(given.recipe, [*changes, "training.sample_every=0"]))

    def sampled(model, n, *, steps=50, **options):
        return walked(model, n, steps=min(steps, 5), **options)

    def estimated(model, x, **options):
        return likelihood(model, x, **{"rtol": 0.1, "atol": 0.1} | options)

    planned, walked, likelihood = unveil.tasks.train.plan, unveil.Diffusion.sample, unveil.Diffusion.log_likelihood
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unveil.studio.page.PoseEditor.wait", lambda editor: None)  # nobody will press Ctrl+C
        patch.setattr(unveil.tasks.train, "plan", shortened)
        patch.setattr(unveil.Diffusion, "sample", sampled)
        patch.setattr(unveil.Diffusion, "log_likelihood", estimated)
        yield


def follow(page):
    """Do in the current folder all that a page shows, in its order: programs, commands, and files that have a name."""
    torch.manual_seed(0)
    namespace = {}
    with short_trainings(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for language, line, code in all_blocks(page):
            if language == "python":
                exec(compile("\n" * (line - 1) + code, name_of(page), "exec"), namespace)
            elif language == "yaml" and (named := NAMED.match(code)):
                Path(named[1]).write_text(code, encoding="utf-8")
            elif language == "console":
                for number, words, answer in typed(line, code):
                    enter(f"{name_of(page)}:{number}", words, answer)


def enter(place, words, answer):
    """Enter a command; where the page shows an answer, that is what must be said."""
    if words[0] != "unveil":
        return
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()) as complaint:
        code = run(words[1:])
    heard = said.getvalue() + complaint.getvalue()
    assert code == (2 if answer else 0), f"{place}: {heard}"
    assert answer.removesuffix("...") in heard, f"{place}: {heard}"


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """What readers bring: a folder of pictures in two classes, and a photograph."""
    place = tmp_path_factory.mktemp("workplace")
    random = np.random.default_rng(0)
    for kind in "ab":
        (place / "my_pictures" / kind).mkdir(parents=True)
        for i in range(60):
            pixels = random.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / "my_pictures" / kind / f"{i}.png")
    Image.fromarray(pixels).save(place / "photo.png")
    return place


@pytest.fixture(scope="session")
def started(workplace, tmp_path_factory):
    """The folder of a reader who has followed the page on getting started, which the other pages take for granted."""
    place = tmp_path_factory.mktemp("started") / "here"
    shutil.copytree(workplace, place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "UNVEIL_CACHE", str(place.parent / "cache")
        )  # it is made before any test, hence before `own_cache`
        patch.chdir(place)
        follow(START)
    return place


@pytest.mark.parametrize("page", [page for page in PAGES if all_blocks(page) and page != START], ids=name_of)
def test_a_page_can_be_followed(page, workplace, started, tmp_path, monkeypatch):
    """From its first block to its last in one folder, as a reader would."""
    here = tmp_path / "here"
    shutil.copytree(workplace if page.parent == REPOSITORY else started, here)
    monkeypatch.chdir(here)
    follow(page)


def test_the_page_on_getting_started_can_be_followed(started):
    assert {file.name for file in started.glob("*.png")} >= {"digits.png"}


def typed(line, code):
    """The commands in a block, as lists of words, each with its line and the answer that is shown below it."""
    lines = code.replace("\\\n", "").splitlines()
    starts = [i for i, text in enumerate(lines) if text.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield line + start, shlex.split(lines[start][2:], comments=True), "\n".join(lines[start + 1 : end])


def commands(page):
    """The commands a page shows, as lists of words, with their lines."""
    return [(number, words) for line, code in blocks(page, "console") for number, words, _ in typed(line, code)]


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
        command = known[verb]
        if hasattr(command, "commands"):
            verb, *rest = rest
            command = command.commands[verb]
        if rest == ["--help"]:
            continue
        context = command.make_context(verb, rest)  # raises where an option is unknown
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
    assert sum(sizes.values()) < 3_500_000


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
