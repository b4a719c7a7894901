"""What `sample` and `evaluate` take and refuse beyond their numbers: classes, folders, few pictures."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_runs import tiny_run

from unveil.cli.app import run as unveil
from unveil.recipes import resolve


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A run that was trained on pictures in a folder for each class."""
    place = tmp_path_factory.mktemp("labelled")
    for shade, name in enumerate(("cat", "dog", "wild boar")):
        (place / "animals" / name).mkdir(parents=True)
        for i in range(4):
            Image.new("L", (8, 8), 60 * shade + i).save(place / "animals" / name / f"{i}.png")
    run = tiny_run(place / "run", steps=1, data=place / "animals", overrides=["model.labels=true", "data.split=all"])
    return run.path


@pytest.fixture
def place(tmp_path, monkeypatch, labelled):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(labelled)
    return tmp_path


def said(arguments, capsys, code=0):
    assert unveil(arguments.split() if isinstance(arguments, str) else arguments) == code
    heard = capsys.readouterr()
    return heard.err if code else heard.out


@pytest.mark.parametrize(
    ("label", "numbers"), [("wild boar,cat", [2, 0, 2]), ("2,0", [2, 0, 2]), ("dog", [1, 1, 1]), (None, [0, 1, 2])]
)
def test_classes_are_called_by_their_names_or_numbers(place, capsys, monkeypatch, label, numbers):
    assert resolve("run").data.class_names == ("cat", "dog", "wild boar")
    told = []

    def sample(model, n, *, label, **_):
        told.extend(label.tolist())
        return torch.zeros(n, *model.shape)

    monkeypatch.setattr("unveil.models.diffusion.Diffusion.sample", sample)
    said(["sample", "run", "-n", "3", "--out", "a.png", *(["--label", label] if label else [])], capsys)
    assert told == numbers


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("cta", "There is no class 'cta'; did you mean cat? This model's classes are cat, dog, wild boar."),
        ("3", "There is no label 3; this model's labels are 0 to 2."),
        ("0,,1", "There is no class ''."),
    ],
)
def test_a_class_that_is_not_there_is_refused(place, capsys, label, message):
    assert message in said(["sample", "run", "--out", "a.png", "--label", label], capsys, 2)


def test_a_run_without_names_of_classes_asks_for_numbers(place, capsys, labelled):
    shutil.copytree(labelled, "old")
    Path("old/recipe.yaml").write_text(
        (labelled / "recipe.yaml").read_text().replace("class_names: [cat, dog, wild boar]", "class_names: null")
    )
    heard = said(["sample", "old", "--out", "a.png", "--label", "cat"], capsys, 2)
    assert "records no names of classes. This model's labels are 0 to 2" in heard


def test_one_sample_is_one(place, capsys):
    assert said("sample run -n 1 --steps 1 --out a.png", capsys) == "1 sample is in a.png\n"
    assert said("sample run -n 2 --steps 1 --out b.png", capsys) == "2 samples are in b.png\n"


def test_a_sheet_remembers_what_changed_it(place, capsys):
    said("sample run -n 1 --steps 1 --out a.png --label dog --temperature 0.5", capsys)
    about = json.loads(Image.open("a.png").text["unveil"])
    assert (about["label"], about["temperature"]) == ("dog", 0.5)
    assert "guidance" not in about


def test_force_replaces_pictures_that_were_drawn_and_nothing_else(place, capsys):
    again = "sample run -n 2 --steps 1 --out many"
    said("sample run -n 4 --steps 1 --out many", capsys)
    assert "holds pictures; choose another, or replace them with --force" in said(again, capsys, 2)
    said(f"{again} --force", capsys)
    assert sorted(os.listdir("many")) == ["00000.png", "00001.png"]
    Image.new("L", (4, 4)).save("many/00007.png")  # a data folder may be numbered too
    assert "'many' holds '00007.png'" in said(f"{again} --force", capsys, 2)
    assert sorted(os.listdir("many")) == ["00000.png", "00001.png", "00007.png"]


def test_few_pictures_are_told_to_be_few(place, capsys):
    np.savez("grey.npz", images=np.random.default_rng(0).integers(0, 256, (30, 8, 8), np.uint8))
    assert unveil(["evaluate", "run", "--data", "grey.npz", "--split", "all", "-n", "5", "--steps", "1"]) == 0
    heard = " ".join(capsys.readouterr().err.split())
    assert "5 samples against 30 images are few: the figures are unreliable" in heard
    told = said("evaluate run --data grey.npz --split all --metrics score -n 9", capsys, 2)
    assert "score needs 10 samples or more; n is 9." in told


def test_help_shows_no_type_beside_a_flag(capsys):
    for verb in ([], ["sample"], ["train"]):
        heard = said([*verb, "--help"], capsys)
        assert "--help" in heard
        assert "bool" not in heard.lower()


def test_the_help_of_sample_tells_what_force_does(capsys):
    heard = " ".join(said(["sample", "--help"], capsys).replace("│", " ").split())
    assert "a folder that holds nothing but pictures drawn before" in heard
