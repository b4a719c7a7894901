import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import torch

import unveil
from unveil.cli.app import run as command
from unveil.core.errors import RunError
from unveil.tasks import doctor as office
from unveil.tasks.doctor import EXTRAS, doctor

PROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
DEVELOPERS = {"bench", "docs", "dev"}  # extras that bring nothing for users


def found(subject):
    return next(finding for finding in doctor() if finding.subject == subject)


def without(monkeypatch, *missing, **versions):
    """Some libraries are not installed, and others have another version."""
    real = metadata.version

    def version(name):
        if name in missing:
            raise metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(office, "version", version)


def test_it_looks_at_everything_and_finds_that_the_core_works():
    findings = {finding.subject: finding for finding in doctor()}
    assert not [finding for finding in findings.values() if finding.state == "bad"]
    assert f"torch {torch.__version__}" in findings["libraries"].detail
    assert findings["Unveil"].detail.startswith(unveil.__version__)
    wanted = {"Python", "core", "recipes", "shipped run", "shipped codec", "device", "threads", "torchvision"}
    assert wanted | {"this folder", "cache"} | {extra.package for extra in EXTRAS} <= set(findings)


def test_it_tells_the_device_that_would_be_used(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Fast One")
    finding = next(finding for finding in office._device() if finding.subject == "device")
    assert (finding.state, finding.detail) == ("good", "cuda is used: 2 x Fast One")
    monkeypatch.undo()
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert "the CPU is used" in next(office._device()).detail


def test_more_threads_than_cores_are_slow_and_no_more(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    finding = next(finding for finding in office._device() if finding.subject == "threads")
    assert finding.state == "note"
    assert "OMP_NUM_THREADS=2" in finding.detail


def test_it_tells_how_much_the_cache_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("UNVEIL_CACHE", str(tmp_path))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.bin").write_bytes(bytes(1_500_000))
    (tmp_path / "b.bin").write_bytes(bytes(500_000))
    assert f"{tmp_path}, holds 2.0 MB and can be deleted" in found("cache").detail
    monkeypatch.setenv("UNVEIL_CACHE", str(tmp_path / "none"))
    assert "holds" not in found("cache").detail


def test_extras_are_those_of_the_package():
    extras = {
        (extra, re.match(r"[\w-]+", line)[0])
        for extra, lines in PROJECT["optional-dependencies"].items()
        for line in lines
        if extra not in DEVELOPERS
    }
    assert {(extra, package) for package, extra, _ in EXTRAS} == extras


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: extra.package)
def test_a_missing_extra_is_told_with_its_use_and_how_to_get_it(extra, monkeypatch):
    without(monkeypatch, extra.package)
    finding = next(finding for finding in office._extras() if finding.subject == extra.package)
    assert finding.state == "note"
    assert extra.use in finding.detail
    assert f"pip install 'unveil[{extra.extra}]'" in finding.detail


def test_a_missing_library_and_one_that_is_too_old_are_told_at_once(monkeypatch, capsys):
    without(monkeypatch, "scipy", numpy="1.26.4")
    finding = found("libraries")
    assert finding.state == "bad"
    assert "numpy 1.26.4" in finding.detail
    assert "scipy is missing" in finding.detail
    assert "pip install 'numpy>=2.0' 'scipy>=1.14'" in finding.detail
    assert "core" not in {finding.subject for finding in doctor()}  # it could only fail
    assert command(["doctor"]) == 1
    assert "scipy is missing" in capsys.readouterr().out.replace("\n", " ")


def test_used_from_its_folder_it_says_so(monkeypatch):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(office, "requires", requires)
    assert next(office._libraries()).state == "note"


def test_a_shipped_run_that_cannot_be_read_is_bad(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("unveil.tasks.pose_run.SHIPPED", tmp_path / "gone")
    finding = found("shipped run")
    assert finding.state == "bad"
    assert "gone" in finding.detail
    assert command(["doctor"]) == 1
    capsys.readouterr()


def test_whatever_fails_is_told_in_a_line():
    def fail(error):
        raise error

    ours = office._tried("core", lambda: fail(RunError("no such run")))
    theirs = office._tried("core", lambda: fail(ImportError("libc.so\nand more")))
    silent = office._tried("core", lambda: fail(AssertionError()))
    assert (ours.state, ours.detail) == ("bad", "no such run")
    assert theirs.detail.startswith("libc.so; ")
    assert silent.detail.startswith("AssertionError; ")


def test_the_command_ends_well_when_only_extras_are_missing(monkeypatch, capsys):
    without(monkeypatch, *(extra.package for extra in EXTRAS))
    assert command(["doctor"]) == 0
    assert "unveil[studio]" in capsys.readouterr().out.replace("\n", "")


def test_torchvision_built_for_another_torch_is_no_obstacle(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)

    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("importlib.import_module", broken)
    finding = next(office._torchvision())
    assert finding.state == "note"
    assert "pip uninstall torchvision" in finding.detail
