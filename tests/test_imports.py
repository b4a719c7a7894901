"""The house has levels, and imports point one way."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

PACKAGE = Path(__file__).resolve().parents[1] / "unveil"
LEVELS = [
    "core",
    "schedules covariance operators geometry pyramids ode divergences",
    "samplers mcmc inverse codecs body networks",
    "models data metrics training",
    "recipes",
    "tasks",
    "studio",
    "cli",
]
LEVEL = {room: i for i, rooms in enumerate(LEVELS) for room in rooms.split()}
DOORS = {  # a big library has one room to come in by
    "accelerate": {"training"},
    "safetensors": {"training", "metrics", "models", "networks", "codecs"},
    "pydantic": {"recipes"},
    "typer": {"cli"},
    "viser": {"studio"},
    "faiss": {"codecs"},
    "diffusers": set(),
    "torchvision": set(),
    "pickle": {"body"},  # a reader that knows arrays only, for official body files
}


def sources():
    return [(path, path.relative_to(PACKAGE).parts[0]) for path in sorted(PACKAGE.glob("*/**/*.py"))]


def test_every_room_has_a_level():
    assert {room for _, room in sources()} <= set(LEVEL)


def test_imports_point_one_way():
    for path, room in sources():
        text = path.read_text()
        targets = re.findall(r"^\s*(?:from|import) unveil\.(\w+)", text, re.M)
        targets += [
            name for names in re.findall(r"^\s*from unveil import ([\w, ]+)", text, re.M) for name in names.split(", ")
        ]
        for target in targets:
            assert target in LEVEL, f"{path} imports unveil.{target}, which is no room"
            assert target == room or LEVEL[target] < LEVEL[room], f"{path} must not import {target}"


@pytest.mark.parametrize("library", DOORS)
def test_a_big_library_has_one_door(library):
    for path, room in sources():
        if re.search(rf"^\s*(?:from|import) {library}\b", path.read_text(), re.M):
            assert room in DOORS[library], f"{path} must not import {library}"


def test_nothing_is_unpickled():
    for path in PACKAGE.glob("**/*.py"):
        text = path.read_text()
        assert "allow_pickle=True" not in text, path
        for call in re.findall(r"torch\.load\([^)]*\)", text):
            assert "weights_only=True" in call, path


def test_importing_unveil_costs_nothing():
    loaded = "import sys, unveil; print([m for m in ('torch', 'numpy', 'pydantic', 'typer') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.strip()
        == "[]"
    )


def test_the_development_environment_has_the_cpu_build_of_torch():
    assert torch.version.cuda is None, "install with -c constraints.txt"
