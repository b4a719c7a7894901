"""Every example runs, in its quick mode, and leaves the pictures that it names."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((REPOSITORY / "examples").glob("[0-9]*.py"))


def run(arguments, place, **environment):
    """Run a script as a user would, without a network."""
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=place,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with the run that several examples use."""
    place = tmp_path_factory.mktemp("examples")
    done = run([REPOSITORY / "examples" / "01_first_samples.py"], place, UNVEIL_QUICK="1")
    assert done.returncode == 0, done.stderr
    return place


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example, trained):
    done = run([example], trained, UNVEIL_QUICK="1")
    assert done.returncode == 0, done.stderr
    for picture in re.findall(r'"([\w-]+\.png)"', example.read_text(encoding="utf-8")):
        assert (trained / picture).is_file(), f"{example.name} left no {picture}"


def test_examples_are_numbered_from_one_and_short():
    assert [int(path.name[:2]) for path in EXAMPLES] == list(range(1, len(EXAMPLES) + 1))
    for path in EXAMPLES:
        assert len(path.read_text(encoding="utf-8").splitlines()) < 70, path.name


@pytest.fixture(scope="session")
def shown(tmp_path_factory):
    """A folder with the page of the demo, and what the demo said."""
    place = tmp_path_factory.mktemp("shown")
    done = run([REPOSITORY / "examples" / "demo.py", "--out", "demo", "--steps", "3"], place, UNVEIL_QUICK="1")
    assert done.returncode == 0, done.stdout + done.stderr
    return place, done.stdout


def test_demo_leaves_a_page_that_needs_nothing_else(shown):
    place, said = shown
    page = (place / "demo" / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "http" not in page
    pictures = re.findall(r'src="([^"]+)"', page)
    assert len(pictures) > 10
    assert all((place / "demo" / picture).is_file() for picture in pictures)
    assert len({(place / "demo" / picture).read_bytes() for picture in pictures}) == len(pictures)
    assert re.search(r"^Part 3 of 10, .* left: ", said, re.M)


def test_programs_on_the_page_of_the_demo_make_its_pictures_again(shown):
    place, _ = shown
    page = (place / "demo" / "index.html").read_text(encoding="utf-8")
    programs = [html.unescape(code) for code in re.findall(r"<pre>(from .*?)</pre>", page, re.S)]
    before = {file: file.read_bytes() for file in (place / "demo").glob("*.png")}
    for file in before:
        file.unlink()
    (place / "pasted.py").write_text("\n".join(programs), encoding="utf-8")
    done = run(["pasted.py"], place)
    assert done.returncode == 0, done.stderr
    assert {file: file.read_bytes() for file in (place / "demo").glob("*.png")} == before
    for line in done.stdout.splitlines():
        assert all(f">{cell}<" in page for cell in re.split(" {2,}", line))


def test_demo_leaves_other_folders_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    done = run([REPOSITORY / "examples" / "demo.py", "--out", "mine"], tmp_path)
    assert done.returncode == 2
    assert "left alone" in done.stdout
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
