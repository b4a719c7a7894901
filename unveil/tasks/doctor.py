"""Look over the machine: what is here, what is missing, and what would be slow."""

import importlib.util
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from packaging.requirements import Requirement

import unveil
from unveil.core.cache import cache_root
from unveil.core.errors import UnveilError


class Extra(NamedTuple):
    """A library that is not needed for most things.

    Attributes:
        package: its name.
        extra: the extra of this package that brings it.
        use: what it is for.
    """

    package: str
    extra: str
    use: str


EXTRAS = (
    Extra("av", "video", "films (.mp4 and others), read and written"),
    Extra("faiss-cpu", "codec", "codecs that are fitted faster"),
    Extra("matplotlib", "plots", "pictures of paths through time (unveil video path)"),
    Extra("viser", "studio", "the pose editor (unveil pose edit)"),
    Extra("datasets", "hub", "data sets of Hugging Face (hf:NAME)"),
    Extra("diffusers", "hub", "pipelines that open exported runs"),
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what.
        state: "good", "note" (fine, but know it) or "bad" (without it Unveil does not work; mend it).
        detail: what was found, and what to do about it.
    """

    subject: str
    state: Literal["good", "note", "bad"]
    detail: str


def doctor() -> list[Finding]:
    """Look over Python, the libraries, what comes along, the device, the disk and the extras; the core draws a picture."""
    found = [*_python(), *_libraries()]
    if not any(finding.state == "bad" for finding in found):
        found += [*_core(), *_shipped(), *_device(), *_torchvision()]
    return [*found, *_places(), *_extras()]


def _python() -> Iterator[Finding]:
    yield Finding("Unveil", "good", f"{unveil.__version__} at {Path(unveil.__file__).parent}")
    yield Finding("Python", "good", f"{platform.python_version()} at {sys.executable}")


def _libraries() -> Iterator[Finding]:
    """Every library that is needed, and whether its version will do."""
    try:
        needed = [Requirement(line) for line in requires("unveil") or ()]
    except PackageNotFoundError:
        yield Finding(
            "libraries", "note", "not looked at: Unveil is used from its folder; pip install -e . to install it"
        )
        return
    here: list[str] = []
    wrong: list[str] = []
    mend: list[str] = []
    for need in needed:
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            found = f"{need.name} {version(need.name)}"
            fits = need.specifier.contains(version(need.name), prereleases=True)
        except PackageNotFoundError:
            found, fits = f"{need.name} is missing", False
        (here if fits else wrong).append(found)
        if not fits:
            mend.append(f"'{need}'")
    if wrong:
        yield Finding("libraries", "bad", f"{', '.join(wrong)}; mend it: pip install {' '.join(mend)}")
    else:
        yield Finding("libraries", "good", ", ".join(here))


def _tried(subject: str, work: Callable[[], str]) -> Finding:
    """What came of some work; whatever goes wrong in it is what is found."""
    try:
        return Finding(subject, "good", work())
    except Exception as error:  # a broken installation fails in ways that nobody can list
        said = str(error).partition("\n")[0] or type(error).__name__
        mend = (
            "" if isinstance(error, UnveilError) else "; Unveil is damaged, or a library that it needs: install it anew"
        )
        return Finding(subject, "bad", f"{said}{mend}")


def _core() -> Iterator[Finding]:
    def draw() -> str:
        from unveil.core.random import Streams
        from unveil.recipes import resolve
        from unveil.recipes.build import build_model

        begin = time.perf_counter()
        model: Any = build_model(resolve("digits-ddpm", ["model.network.channels=8"]), (1, 8, 8)).eval()
        picture = model.sample(1, steps=2, generator=Streams(0, 1))
        if not bool(picture.isfinite().all()):
            raise UnveilError(
                "a small model drew a picture with numbers that are not finite; torch does not work here."
            )
        return f"a small untrained model drew a picture in {time.perf_counter() - begin:.1f} s"

    yield _tried("core", draw)


def _shipped() -> Iterator[Finding]:
    def recipes() -> str:
        from unveil.recipes import names, resolve

        for name in names():
            resolve(name)
        return f"{len(names())}, all readable"

    def run() -> str:
        from unveil.tasks.pose_run import SHIPPED, check_poser
        from unveil.training.run_folder import RunFolder
        from unveil.training.tensor_file import read_tensors

        check_poser(None)
        weights, _ = read_tensors(RunFolder.open(SHIPPED).weights)  # looks at their digest, and builds no body
        return (
            f"{SHIPPED.name} is readable: {sum(value.numel() for value in weights.values()):,} weights that pose bodies"
        )

    def codec() -> str:
        from unveil.codecs import load_codec

        return f"{load_codec().layout.name} is readable: pictures become small files with it"

    yield _tried("recipes", recipes)
    yield _tried("shipped run", run)
    yield _tried("shipped codec", codec)


def _device() -> Iterator[Finding]:
    import torch

    if torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator()
        count = torch.accelerator.device_count()
        name = torch.cuda.get_device_name() if torch.cuda.is_available() else str(kind)
        yield Finding("device", "good", f"{kind} is used: {count} x {name}")
    else:
        yield Finding(
            "device",
            "note",
            "the CPU is used, for there is no GPU: digits train in minutes, larger pictures in hours or days",
        )
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    if threads > cores:
        yield Finding(
            "threads", "note", f"{threads} threads on {cores} cores wait for each other; OMP_NUM_THREADS={cores}"
        )
    else:
        yield Finding("threads", "good", f"{threads} of {cores} cores")
    if not torch.accelerator.is_available() and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        yield Finding("precision", "note", "fp32 only: this processor has no instructions for bf16")


def _torchvision() -> Iterator[Finding]:
    if importlib.util.find_spec("torchvision") is None:
        yield Finding("torchvision", "good", "not installed, and not needed")
        return
    try:
        importlib.import_module("torchvision")
        yield Finding("torchvision", "good", f"{version('torchvision')}, not needed")
    except Exception as error:  # it fails in many ways when it was built for another torch
        said = str(error).partition("\n")[0]
        yield Finding("torchvision", "note", f"does not fit this torch ({said}); remove it: pip uninstall torchvision")


def _places() -> Iterator[Finding]:
    for subject, place in (("this folder", Path.cwd()), ("cache", cache_root())):
        there = next(folder for folder in (place, *place.parents) if folder.exists())
        free = shutil.disk_usage(there).free / 1e9
        holds = (
            f", holds {_size(place) / 1e6:,.1f} MB and can be deleted" if subject == "cache" and place.exists() else ""
        )
        if not os.access(there, os.W_OK):
            yield Finding(subject, "note", f"{place} cannot be written to")
        else:
            yield Finding(subject, "good" if free > 2 else "note", f"{place}{holds}, {free:,.1f} GB free")


def _size(folder: Path) -> int:
    """The bytes of all files in a folder; those that vanish while it is looked at count nothing."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except OSError:
                continue
    return total


def _extras() -> Iterator[Finding]:
    for package, extra, use in EXTRAS:
        try:
            yield Finding(package, "good", f"{version(package)}, for {use}")
        except PackageNotFoundError:
            yield Finding(package, "note", f"not installed; for {use}: pip install 'unveil[{extra}]'")
