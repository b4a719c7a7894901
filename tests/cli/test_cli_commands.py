import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import DIFFUSION, tiny_run

import unveil as package
from unveil.cli.app import WELCOME
from unveil.cli.app import run as unveil
from unveil.recipes import names, resolve
from unveil.tasks import train as training

REPOSITORY = Path(__file__).resolve().parents[2]
VERBS = ["train", "sample", "evaluate", "restore", "edit", "likelihood", "export", "recipes", "doctor"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "digits", steps=2).path


@pytest.fixture
def place(tmp_path, monkeypatch, trained):
    """A folder to work in, with the run that the examples speak of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "digits-ddpm").symlink_to(trained)
    return tmp_path


def done(arguments, capsys):
    """Run a command that succeeds, and give what it printed."""
    code = unveil(arguments.split())
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def pixels(path):
    return np.asarray(Image.open(path)).astype(int)


@pytest.mark.parametrize("verb", [*VERBS, "distil", "refine"])
def test_every_verb_has_help_with_an_example(verb, capsys):
    said = done(f"{verb} --help", capsys)
    assert re.search(rf"Example: unveil {verb}", said)


def test_without_a_command_it_tells_what_can_be_done(capsys):
    said = done("", capsys)
    assert len(said.splitlines()) <= 16
    assert all(f"unveil {verb}" in said for verb in VERBS)


PRINTED = [line.split("  ")[0] for line in re.findall(r"^  (unveil .+)$", WELCOME, re.M)]
SHORT = {  # what makes a training end at once
    "unveil train digits-ddpm": " --steps 1 " + " ".join(DIFFUSION),
    "unveil train single-image --data photos/rocket": " --steps 2 data.longest=32 model.network.widths=8,8,8",
    "unveil pose edit": " --port 0",
}


def test_what_it_tells_works_as_printed_in_its_order(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("unveil.tasks.feature_space.resolve", lambda name: resolve(name, ["training.steps=5"]))
    monkeypatch.setattr("unveil.studio.page.PoseEditor.wait", lambda editor: None)
    assert len(PRINTED) == WELCOME.count("\n  unveil ")
    assert set(SHORT) <= set(PRINTED)
    for line in PRINTED:
        code = unveil((line + SHORT.get(line, "")).split()[1:])
        said = capsys.readouterr()
        assert code == 0, f"{line}: {said.out + said.err}"
    assert {"runs", "digits.png", "drawn", "clean.png", "for-diffusers", "moves.gif"} <= {
        path.name for path in tmp_path.iterdir()
    }


def test_the_commands_that_it_only_names_are_there(capsys):
    also = re.search(r"^Also: (.*?)\.", WELCOME, re.M)[1].split(", ")
    for verb in also:
        assert done(f"{verb} --help", capsys)
    assert "--data FOLDER" in WELCOME
    assert "photos-diffusion" in names()


def test_it_loads_nothing_large_to_tell_what_can_be_done():
    program = "import sys; from unveil.cli import main\ntry: main([])\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "unveil train digits-ddpm" in done.stdout
    assert not {"torch", "numpy", "scipy", "accelerate", "PIL", "pydantic"} & set(done.stderr.split())


def test_recipes_are_listed_with_what_they_are_and_printed_whole(capsys):
    listed = done("recipes", capsys)
    assert [line.split()[0] for line in listed.splitlines()] == names()
    printed = done("recipes digits-ddpm", capsys)
    assert printed.startswith("# ")
    assert resolve(printed + "\nname: digits-ddpm") == resolve("digits-ddpm")


def test_a_dry_run_prints_the_whole_recipe_and_writes_nothing(place, capsys):
    before = sorted(place.rglob("*"))
    said = done("train digits-ddpm --out runs/new --dry-run --seed 7 training.lr=1e-4", capsys)
    assert said.startswith("# This would be trained in runs/new\n")
    recipe = resolve(said)
    assert (recipe.training.seed, recipe.training.lr) == (7, 1e-4)
    assert sorted(place.rglob("*")) == before


def test_training_says_where_the_run_is(place, capsys):
    said = done("train digits-ddpm --steps 1 --out runs/new training.sample_every=0 " + " ".join(DIFFUSION), capsys)
    assert "Trained in runs/new." in said
    assert "unveil sample runs/new" in said


def test_an_interrupted_training_exits_130_and_says_how_to_go_on(place, capsys, monkeypatch):
    def stop(moment):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training, "_pictures", lambda *given: stop)
    small = ["--steps", "5", "training.sample_every=1", *DIFFUSION]
    assert unveil(["train", "digits-ddpm", "--out", "runs/new", *small]) == 130
    said = capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(place)
    (line,) = re.findall(r"unveil (train runs/new --resume)", said)
    done(line, capsys)
    assert json.loads(Path("runs/new/log.jsonl").read_text().splitlines()[-1])["step"] == 5


def test_an_interruption_elsewhere_exits_130(place, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("unveil.tasks.sample.open_run", interrupted)
    assert unveil(["sample", "runs/digits-ddpm", "--out", "a.png"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"


def test_a_picture_does_not_depend_on_the_batch(place, capsys):
    for batch in (1, 7, 64):
        done(f"sample runs/digits-ddpm -n 9 --steps 3 --seed 4 --batch {batch} --out by-{batch}", capsys)
    first = [pixels(file) for file in sorted(Path("by-1").iterdir())]
    assert len(first) == 9
    for batch in (7, 64):
        others = [pixels(file) for file in sorted(Path(f"by-{batch}").iterdir())]
        assert all(np.abs(a - b).max() <= 1 for a, b in zip(first, others, strict=True))


def test_a_sheet_remembers_how_it_was_made_and_is_replaced_only_by_force(place, capsys):
    done("sample runs/digits-ddpm -n 4 --steps 2 --seed 9 --out a.png", capsys)
    about = json.loads(Image.open("a.png").text["unveil"])
    assert about["recipe"] == "digits-ddpm"
    assert (about["seed"], about["steps"], about["sampler"]) == (9, 2, "ddim")
    assert unveil(["sample", "runs/digits-ddpm", "-n", "4", "--steps", "2", "--seed", "8", "--out", "a.png"]) == 2
    done("sample runs/digits-ddpm -n 4 --steps 2 --seed 8 --out a.png --force", capsys)
    assert json.loads(Image.open("a.png").text["unveil"])["seed"] == 8


def test_measures_are_printed_and_written(place, capsys, monkeypatch):
    monkeypatch.setattr("unveil.tasks.feature_space.resolve", lambda name: resolve(name, ["training.steps=5"]))
    said = done("evaluate runs/digits-ddpm --metrics kernel,pr -n 20 --steps 2 --out m.json", capsys)
    written = json.loads(Path("m.json").read_text())
    assert [measure["name"] for measure in written] == [line.split(" = ")[0] for line in said.splitlines()]
    assert {measure["count"] for measure in written} == {20}


def test_likelihoods_are_printed_for_every_picture(place, capsys):
    done("sample runs/digits-ddpm -n 2 --steps 2 --out many", capsys)
    said = done("likelihood runs/digits-ddpm many digits -n 2 --out new/bits.json", capsys)
    lines = [line.split("\t") for line in said.splitlines() if "\t" in line]
    assert [(source, number) for source, number, _ in lines] == [
        ("many", "0"), ("many", "1"), ("digits", "0"), ("digits", "1"),
    ]  # fmt: skip
    assert said.count("bits-per-dim") == 2
    rows = json.loads(Path("new/bits.json").read_text())
    assert [f"{bits:.4f}" for row in rows for bits in row["by bits"]] == [number for _, _, number in lines]
    assert [row["measure"]["count"] for row in rows] == [2, 2]
    assert unveil(["likelihood", "runs/digits-ddpm", "digits", "-n", "1", "--out", "new/bits.json"]) == 2
    assert "overwrite it with --force" in capsys.readouterr().err


def test_an_exported_run_can_be_sampled_from_its_new_folder(place, capsys):
    done("export runs/digits-ddpm --out theirs", capsys)
    done("sample theirs -n 2 --steps 2 --out there", capsys)
    done("sample runs/digits-ddpm -n 2 --steps 2 --out here", capsys)
    for name in ("00000.png", "00001.png"):
        assert np.abs(pixels(f"here/{name}") - pixels(f"there/{name}")).max() <= 1


def test_the_version_is_that_of_the_package(capsys):
    written = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert done("--version", capsys).strip() == package.__version__ == written


def start(*arguments, folder, processes=None):
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes else []
    return subprocess.run(
        [sys.executable, *launcher, "-m", "unveil", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_it_runs_as_a_module(place):
    assert start("recipes", folder=place).returncode == 0
    refused = start("train", "digits-ddm", folder=place)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_train_and_draw_the_same_as_one(place, capsys):
    small = ["training.sample_every=2", "sampling.steps=2", *DIFFUSION]
    both = start("train", "digits-ddpm", "--steps", "3", "--out", "two", *small, folder=place, processes=2)
    if "Unable to find" in both.stderr:
        pytest.skip("gloo finds no network interface here")
    assert both.returncode == 0, both.stderr[-3000:]
    done("train digits-ddpm --steps 3 --out one " + " ".join(small), capsys)
    logs = [
        [json.loads(line)["loss"] for line in Path(name, "log.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    assert logs[0] == pytest.approx(logs[1], abs=1e-5)
    drawn = start("sample", "one", "-n", "5", "--steps", "3", "--out", "by-two", folder=place, processes=2)
    assert drawn.returncode == 0, drawn.stderr[-3000:]
    done("sample one -n 5 --steps 3 --out by-one", capsys)
    for file in sorted(Path("by-one").iterdir()):
        assert np.abs(pixels(file) - pixels(Path("by-two") / file.name)).max() <= 1
