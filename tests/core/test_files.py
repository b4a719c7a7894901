"""Places where files may be written, and files that are whole or not there."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from unveil.core.errors import ConfigError, ExistsError, UnveilError
from unveil.core.files import check_new, new_file, reason, shown


def test_any_name_can_be_shown():
    assert shown("süß 猫.png") == "süß 猫.png"
    assert shown("a\nb\x1b[31m.png") == "a\\nb\\x1b[31m.png"
    assert shown(os.fsdecode(b"\xff.png")) == "\\udcff.png"


def test_reasons_are_short():
    assert reason(PermissionError(13, "Permission denied")) == "permission denied"
    assert reason(ValueError("PNG is bad.")) == "PNG is bad"
    assert reason(EOFError()) == "EOFError"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to be in, with something of every kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.txt").write_text("keep me")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("keep me")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text("model: {}")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "folder", "force"),
    [
        ("new.txt", False, False), ("new/a.txt", False, False), ("there.txt", False, True),
        ("empty", True, False), ("new", True, False), ("full", True, True),
    ],
)  # fmt: skip
def test_a_place_that_may_be_written(place, name, folder, force):
    check_new(place / name, force, folder=folder)


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        (".", {"option": "--out"}, ConfigError, "--out is '.', which names nothing new; give it a name."),
        ("there.txt/a", {}, ConfigError, "'there.txt/a' cannot be written: there.txt is a file, not a folder."),
        ("there.txt", {}, ExistsError, "exists already; choose another name, or overwrite it with force."),
        ("there.txt", {"option": "--show"}, ExistsError, "exists already; name another --show, or overwrite it with --force."),
        ("empty", {"force": True, "option": "--out"}, ExistsError, "'empty' is a folder; name a file with --out."),
        ("there.txt", {"force": True, "folder": True}, ExistsError, "'there.txt' is a file; name a folder."),
        ("full", {"folder": True}, ExistsError, "'full' exists already"),
        ("run", {"force": True, "folder": True}, ExistsError, "'run' is the folder of a run, and nothing else is put there"),
    ],
)  # fmt: skip
def test_a_place_that_may_not_is_told_and_what_to_do(place, name, options, error, said):
    with pytest.raises(error) as told:
        check_new(Path(name), options.pop("force", False), **options)
    assert said in str(told.value)


def test_a_device_is_never_replaced(place):
    os.mkfifo(place / "pipe")
    with pytest.raises(ExistsError, match="is no regular file"):
        check_new(place / "pipe", force=True)


def test_a_file_appears_when_all_of_it_is_there(place):
    with new_file(place / "deep" / "b.txt", force=False) as temporary:
        temporary.write_text("all")
        assert os.listdir(place / "deep") == [temporary.name]
    assert os.listdir(place / "deep") == ["b.txt"]
    with pytest.raises(ExistsError), new_file(place / "there.txt", force=False):
        pytest.fail("nothing may be written")
    with pytest.raises(ZeroDivisionError), new_file(place / "there.txt", force=True) as temporary:
        temporary.write_text("half") / 0
    assert (place / "there.txt").read_text() == "keep me"
    assert sorted(os.listdir(place)) == ["deep", "empty", "full", "run", "there.txt"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnveilError, match="no space left on device"), new_file(path, force=True) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_only_the_standard_library_is_imported():
    program = "import sys, unveil.core.files; sys.exit(bool({'torch', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
