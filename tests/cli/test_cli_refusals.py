"""Bad input: one clear sentence on standard error, exit code 2, no traceback, nothing written."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tiny_runs import tiny_run

from unveil.cli.app import run as unveil
from unveil.training import disk

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "digits", steps=1).path


@pytest.fixture
def place(tmp_path, monkeypatch, trained):
    """A folder to work in, with one of everything that can be given wrongly."""
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "damaged", "small", "letters", "runs"):
        (tmp_path / name).mkdir()
    (tmp_path / "damaged" / "broken.png").write_bytes(b"\x89PNG and then nothing")
    Image.new("L", (4, 4)).save(tmp_path / "small" / "a.png")
    (tmp_path / "letters" / "dear.txt").write_text("keep me")
    (tmp_path / "there.png").write_text("keep me")
    (tmp_path / "typo.yaml").write_text("model: {kind: difusion}\ntraining: {steps: 3}\n")
    (tmp_path / "tab.yaml").write_text("model:\n\t- x\n")
    (tmp_path / "run").symlink_to(trained)
    (tmp_path / "runs" / "digits").symlink_to(trained)
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "weights.safetensors").symlink_to(trained / "weights.safetensors")
    recipe = (trained / "recipe.yaml").read_text().replace("source: digits", "source: /moved/away")
    (tmp_path / "moved" / "recipe.yaml").write_text(recipe)
    return tmp_path


CHEAP = [
    ("train", "Missing argument"),
    ("train digits-ddm", "no recipe 'digits-ddm'; did you mean digits-ddpm"),
    ("train nowhere.yaml", "no recipe file nowhere.yaml"),
    ("train typo.yaml", "did you mean diffusion?"),
    ("train tab.yaml", "is not YAML"),
    ("train letters", "holds no recipe.yaml"),
    ("train digits-ddpm training.stepz=3", "training has no key 'stepz'; did you mean steps?"),
    ("train digits-ddpm stepz=3", "a recipe has no key 'stepz'"),
    ("train digits-ddpm training.lr=fast", "training.lr is 'fast'; it must be a number."),
    ("train digits-ddpm training.lr", "write a key of the recipe and its value"),
    ("train digits-ddpm --steps 0", "training.steps is 0; it must be 1 or more."),
    ("train digits-ddpm --steps many", "Invalid value for '--steps'"),
    ("train digits-ddpm --stepz 3", "No such option: --stepz"),
    ("train digits-ddpm --data nowhere", "no file, folder or embedded source 'nowhere'"),
    ("train digits-ddpm --data digitz", "Did you mean 'digits'"),
    ("train digits-ddpm --data empty", "The folder 'empty' is empty"),
    ("train digits-ddpm --data letters", "holds no images"),
    ("train fashion-ddpm", "needs --data: the folder with the four .gz files of Fashion-MNIST."),
    ("train digits-ddpm --out letters", "letters exists"),
    ("train digits-ddpm --out run", "run exists; go on with it (--resume), replace it (--force)"),
    ("train digits-smld --out run --resume", "begun with recipe digits-ddpm"),
    ("sample", "Missing argument"),
    ("sample run", "Missing option '--out'"),
    ("sample nowhere --out a.png", "There is no run at nowhere."),
    ("sample letters --out a.png", "letters is not the folder of a run"),
    ("sample there.png --out a.png", "is a file, not the folder of a run"),
    ("sample run --out there.png", "'there.png' exists already; name another --out, or overwrite it with --force."),
    ("sample run --out letters", "'letters' holds 'dear.txt'"),
    ("sample run --out letters/dear.txt/a.png", "dear.txt is a file, not a folder"),
    ("train digits-ddpm --out letters/dear.txt/run", "dear.txt is a file, not a folder"),
    ("sample run --out a.jpg", "saved as one .png"),
    ("sample run --out a.png -n 0", "n is 0; it must be 1 or more."),
    ("sample run --out a.png --seed -1", "seed is -1; it must be a whole number from 0 to 9223372036854775807"),
    ("sample run --out a.png --seed 9223372036854775808", "seed is 9223372036854775808; it must be"),
    ("sample run --out a.png --temperature -1", "temperature is -1.0; it must be a finite number, 0 or more."),
    ("sample run --out a.png --temperature nan", "temperature is nan; it must be"),
    ("sample run --out a.png --temperature inf", "temperature is inf; it must be"),
    ("sample run --out a.png --guidance -1", "guidance is -1.0; it must be a finite number, 0 or more."),
    ("sample run --out a.png --guidance nan", "guidance is nan; it must be"),
    ("sample run --out a.png --guidance 2", "knows no labels, so guidance has none to follow"),
    ("sample run --out .png", "'.png' is no name to save pictures by"),
    ("sample run --out .", "'.' is no name to save pictures by"),
    ("sample run --out run", "'run' is the folder of a run, and nothing else is put there"),
    ("sample run --out run --force", "'run' is the folder of a run, and nothing else is put there"),
    ("sample run --out letters --force", "'letters' holds 'dear.txt'"),
    ("sample run --out there.png --sampler dim", "no sampler 'dim'"),
    ("sample run --out there.png -n 0", "n is 0"),
    ("sample digits --out a.png", "There is no run at digits; did you mean runs/digits?"),
    ("sample photos-diffusion --out a.png", "is a recipe, not the folder of a run; train it first: unveil train"),
    ("sample run --out a.png --sampler dim", "no sampler 'dim'; did you mean ddim?"),
    ("sample run --out a.png --steps 2000", "this model's chain has 1000"),
    ("sample run --out a.png --label 3", "knows no labels"),
    ("sample run --out a.png --label three", "knows no labels"),
    ("evaluate run --metrics fdi", "no metric 'fdi'; did you mean fid?"),
    ("evaluate run --metrics fid", "needs the published Inception weights (--inception FILE)"),
    ("evaluate run --data nowhere", "no file, folder or embedded source 'nowhere'"),
    ("evaluate run --split half", "'half' is not one of"),
    ("likelihood run digits --split half", "'half' is not one of"),
    ("evaluate run --out there.png", "--out is there.png; figures are written as .json."),
    ("evaluate run --out letters/dear.txt/a.json", "dear.txt is a file, not a folder"),
    ("likelihood run digits --out there.png", "--out is there.png; figures are written as .json."),
    ("evaluate run --out there.png --metrics fdi", "no metric 'fdi'"),
    ("evaluate run --out empty", "--out is empty; figures are written as .json."),
    ("evaluate run --seed -1", "seed is -1"),
    ("evaluate run -n 1 --metrics pr", "pr needs 4 samples or more, and as many real images; n is 1."),
    ("evaluate run -n 3", "kernel needs 4 samples"),
    ("evaluate run -n 9 --metrics score", "score needs 10 samples or more; n is 9."),
    ("evaluate run --inception empty", "empty is a folder; name the file with the Inception weights."),
    (
        "evaluate moved",
        "was trained on cannot be opened: There is no file, folder or embedded source '/moved/away'. If",
    ),
    ("evaluate run --inception nowhere.pth", "no file nowhere.pth with Inception weights"),
    ("evaluate run --features run", "features come from a classifier's run"),
    ("evaluate run --features letters", "letters is not the folder of a run"),
    ("likelihood run", "Missing argument"),
    ("likelihood run nowhere", "no file, folder or embedded source 'nowhere'"),
    ("likelihood run digits -n 0", "n is 0; it must be 1 or more."),
    ("refine run letters --out a.png --show a.png", "--out and --show are both a.png; give them a name each."),
    ("restore run there.png --operator grayscale --out a.png --show a.png", "--out and --show are both a.png"),
    ("refine run letters --mask there.png --out there.png --force", "there.png is a picture that is read"),
    (
        "restore run b.png --operator mask:there.png --out there.png --force",
        "there.png is the mask or kernel that is read; name another file.",
    ),
    (
        "restore run b.png --operator mask:there.png --out a.png --show there.png --force",
        "there.png is the mask or kernel that is read; name another file.",
    ),
    ("restore run b.png --operator noise:0.1 --steps 5 --out a.png", "takes no steps; leave them out"),
    ("export nowhere --out there", "There is no run at nowhere."),
    ("likelihood run digits --seed -1", "seed is -1"),
    ("export run --out letters", "'letters' exists already"),
    ("export run --out run --force", "'run' is the folder of a run"),
    ("export run --out there.png --force", "'there.png' is a file; name a folder with --out."),
    ("recipes digits-ddm", "did you mean digits-ddpm"),
    ("frobnicate", "No such command 'frobnicate'. There are train, sample,"),
    ("video slow", "No such command 'slow'. There are predict, past, interpolate, generate, path."),
    ("video predct", "No such command 'predct'. Did you mean 'predict'?"),
    ("--frobnicate", "No such option: --frobnicate"),
]
DEAR = [
    ("train digits-ddpm --data damaged", "broken.png"),
    ("train photos-diffusion --data small", "smaller than the 32x32 asked for"),
    ("train digits-ddpm model.network.mult=1,2,2,2,2", "sides that are multiples of 16"),
    ("train digits-ddpm --data there.png", "there.png"),
    ("evaluate run --inception there.png", "there.png"),
]


def refused(arguments, capsys):
    code = unveil(arguments.split())
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    return said.err


@pytest.mark.parametrize(("arguments", "said"), [*CHEAP, *DEAR])
def test_one_clear_sentence_and_exit_code_2(place, capsys, arguments, said):
    before = sorted(place.rglob("*"))
    message = refused(arguments, capsys)
    assert said in message
    assert message.count("\n") == 1, message
    assert "Traceback" not in message
    assert sorted(place.rglob("*")) == before
    assert (place / "there.png").read_text() == (place / "letters" / "dear.txt").read_text() == "keep me"


def test_help_recipes_and_every_argument_error_load_no_torch(place):
    good = ["", "--help", "--version", "recipes", "recipes digits-ddpm", "train digits-ddpm --dry-run"]
    good += [f"{verb} --help" for verb in ["train", "sample", "evaluate", "likelihood", "export", "recipes", "doctor"]]
    program = (
        "import sys; from unveil.cli.app import run\n"
        "for line in sys.argv[1:]:\n"
        "    code = run(line.split())\n"
        "    heavy = {'torch', 'numpy', 'accelerate'} & set(sys.modules)\n"
        "    assert not heavy, f'{heavy} was loaded by: unveil {line}'\n"
        "    print('code', code, line)\n"
    )
    lines = [*good, *(arguments for arguments, _ in CHEAP)]
    told = subprocess.run(
        [sys.executable, "-c", program, *lines],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    codes = re.findall(r"^code (\d) (.*)$", told.stdout, re.M)
    assert codes == [("0", line) for line in good] + [("2", line) for line, _ in CHEAP]


def test_a_run_that_is_damaged_is_refused(place, capsys, trained, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "recipe.yaml").write_bytes((trained / "recipe.yaml").read_bytes())
    assert "has no weights.safetensors: its training was stopped" in refused("sample copy --out a.png", capsys)
    whole = (trained / "weights.safetensors").read_bytes()
    (copy / "weights.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "is damaged" in refused("sample copy --out a.png", capsys)
    (copy / "weights.safetensors").write_bytes(whole)
    (copy / "recipe.yaml").write_text((trained / "recipe.yaml").read_text().replace("channels: 8", "channels: 16"))
    assert "does not fit this model" in refused("sample copy --out a.png", capsys)


def test_a_full_disk_is_told_and_no_half_of_a_file_is_left(place, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("PIL.Image.Image.save", full)
    assert "no space left on device" in refused("sample run --out a.png -n 1 --steps 1", capsys)
    assert "no space left on device" in refused("sample run --out many -n 1 --steps 1", capsys)
    assert not (place / "a.png").exists()
    assert not (place / "many").exists()
    monkeypatch.setattr(disk.os, "replace", full)
    assert "The disk is full" in refused("train digits-ddpm --steps 1 model.network.channels=8", capsys)


def test_a_full_disk_anywhere_else_is_told_too(place, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "m.json")

    monkeypatch.setattr("unveil.tasks.evaluate.evaluate", full)
    assert "The disk is full: m.json." in refused("evaluate run --out m.json", capsys)
    monkeypatch.setattr("pathlib.Path.write_text", full)
    monkeypatch.setattr("unveil.tasks.evaluate.evaluate", lambda *_, **__: [])
    assert "'m.json' cannot be written: no space left on device." in refused("evaluate run --out m.json", capsys)
