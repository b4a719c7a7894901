"""What `unveil train` says, to a person who resumes, repeats and mistypes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_runs import DIFFUSION, tiny_run

from unveil.cli.app import run as unveil
from unveil.recipes import resolve

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "digits", steps=3).path


@pytest.fixture
def place(tmp_path, monkeypatch, trained):
    """A folder to work in, with a run that is finished."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "runs" / "mine")
    (tmp_path / "file").touch()
    return tmp_path


def told(arguments, capsys, code=0):
    assert unveil(arguments.split()) == code
    said = capsys.readouterr()
    return said.out + said.err if code == 0 else said.err


def everything(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("runs/mine --resume --force", "resume (--resume) goes on with a run and force (--force) replaces it"),
        ("runs/mine --resume --out runs/other", "to go on with runs/other, name that instead of runs/mine"),
        ("runs/mien --resume", "There is no run at runs/mien; did you mean runs/mine?"),
        ("runs/mine --resume model.predict=v", "was begun with model.predict eps, not v"),
        ("runs/mine --resume data.size=16", "was begun with data.size [8, 8], not [16, 16]"),
        (
            "runs/mine --resume --steps 2",
            "has taken 3 steps already, so it cannot end after 2; give 3 or more (--steps)",
        ),
        ("digits-ddpm --out file", "file exists and is a file; a run is a folder, so name another place (--out)."),
        ("digits-ddpm --out file --resume", "file exists and is a file"),
        ("digits-ddpm --out file --force", "file exists and is a file"),
    ],
)
def test_a_training_that_is_refused_changes_nothing(place, capsys, arguments, said):
    before = everything(place)
    message = told(f"train {arguments}", capsys, code=2)
    assert said in message
    assert message.count("\n") == 1
    assert everything(place) == before
    told("sample runs/mine -n 1 --steps 1 --out a.png", capsys)


def test_a_finished_run_is_told_to_be_finished(place, capsys):
    said = told("train runs/mine --resume", capsys)
    assert "runs/mine was finished already; more --steps would train it further." in said
    assert "Trained" not in said
    assert "written again" not in said


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:-5])])
def test_what_sample_advises_mends_a_run_without_weights(place, capsys, damage):
    weights = place / "runs" / "mine" / "weights.safetensors"
    before = weights.read_bytes()
    damage(weights)
    told("sample runs/mine -n 1 --steps 1 --out a.png", capsys, code=2)
    said = told("train runs/mine --resume", capsys)
    assert "runs/mine/weights.safetensors was missing or damaged, and was written again" in said
    assert "Trained" not in said
    assert weights.read_bytes() == before


def test_resuming_what_is_not_there_yet_begins_it_and_says_so(place, capsys):
    arguments = f"train digits-ddpm --out runs/new --steps 1 --resume training.sample_every=0 {' '.join(DIFFUSION)}"
    said = told(arguments, capsys)
    assert "There is no run at runs/new yet, so it is begun." in said
    assert "Trained in runs/new." in said
    assert "so it is begun" not in told(arguments, capsys)


def test_a_recipe_can_be_looked_at_wherever_it_would_go(place, capsys):
    assert unveil(["train", "digits-ddpm", "--out", "runs/mine", "training.lr=0.5", "--dry-run"]) == 0
    said = capsys.readouterr()
    assert resolve(said.out).training.lr == 0.5
    assert said.err.startswith("Note: runs/mine exists; go on with it (--resume)")
    assert unveil(["train", "runs/mine", "--resume", "--dry-run"]) == 0
    assert capsys.readouterr().err == ""


def test_what_to_do_next_can_be_typed_as_it_is_told(place, capsys):
    (place / "runs" / "mine").rename(place / "my run")
    assert unveil(["train", "my run", "--resume"]) == 0
    assert "unveil sample 'my run' --out samples.png" in capsys.readouterr().out


def test_a_classifier_is_not_said_to_be_sampled(place, capsys):
    small = "model.channels=4 model.features=8 training.batch_size=16 training.sample_every=0"
    said = told(f"train digits-features --steps 1 --out runs/eyes {small}", capsys)
    assert "Trained in runs/eyes. Measure with it: unveil evaluate RUN --features runs/eyes" in said


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_refuse_in_one_sentence_and_leave_nothing_behind(place):
    def both(*arguments):
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "unveil", "train"]
        done = subprocess.run(
            [sys.executable, *launcher, *arguments],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if "Unable to find" in done.stderr:
            pytest.skip("gloo finds no network interface here")
        # What torchrun itself says of its processes comes after what they said.
        return done.stderr.partition("torch.distributed.elastic.multiprocessing.errors.ChildFailedError")[0]

    new = ["digits-ddpm", "--out", "new", *DIFFUSION]
    # Known to both, by a look at the place; to both, once they know of each other; to the first alone.
    for arguments, sentence in (
        (["digits-ddpm", "--out", "runs/mine"], "runs/mine exists; go on with it"),
        ([*new, "training.batch_size=7"], "batch_size=7 cannot be shared equally by 2 processes"),
    ):
        said = both(*arguments)
        assert said.count(sentence) == 1, said
        assert 'File "/' not in said.partition("Traceback")[0]
        assert not (place / "new").exists()
    for file in (place / "runs" / "mine" / "state").glob("*.safetensors"):
        file.write_bytes(b"")
    said = both("runs/mine", "--resume")
    assert said.count("No checkpoint is whole") == 1, said
    assert "Another of the processes" not in said
