"""Look over the machine: what is here, what is missing, and what would be slow."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

EXTRAS = {
    "datasets": "hub: data sets of Hugging Face (hf:NAME)",
    "diffusers": "hub: pipelines that open exported runs",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what.
        state: "good", "note" (fine, but know it) or "bad" (mend it).
        detail: what was found, and what to do about it.
    """

    subject: str
    state: Literal["good", "note", "bad"]
    detail: str


def doctor() -> list[Finding]:
    """Look over Python, torch, the devices, the disk and the optional libraries."""
    return [*_python(), *_torch(), *_torchvision(), *_places(), *_extras()]


def _python() -> Iterator[Finding]:
    yield Finding("Python", "good", f"{platform.python_version()} at {sys.executable}")


def _torch() -> Iterator[Finding]:
    import torch

    yield Finding("torch", "good", torch.__version__)
    if torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator()
        count = torch.accelerator.device_count()
        name = torch.cuda.get_device_name() if torch.cuda.is_available() else str(kind)
        yield Finding("device", "good", f"{count} x {name}")
    else:
        yield Finding("device", "note", "no GPU: recipes for digits train in minutes, larger ones in hours or days")
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    if threads > cores:
        yield Finding(
            "threads", "bad", f"{threads} threads on {cores} cores wait for each other; OMP_NUM_THREADS={cores}"
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
        yield Finding("torchvision", "bad", f"does not fit this torch ({said}); remove it: pip uninstall torchvision")


def _places() -> Iterator[Finding]:
    from unveil.metrics.feature_cache import cache_folder

    for subject, place in (("this folder", Path.cwd()), ("cache", cache_folder().parent)):
        there = next(folder for folder in (place, *place.parents) if folder.exists())
        free = shutil.disk_usage(there).free / 1e9
        if not os.access(there, os.W_OK):
            yield Finding(subject, "bad", f"{place} cannot be written to")
        else:
            yield Finding(subject, "good" if free > 2 else "bad", f"{place}, {free:.1f} GB free")


def _extras() -> Iterator[Finding]:
    for package, what in EXTRAS.items():
        extra, _, use = what.partition(": ")
        try:
            yield Finding(package, "good", f"{version(package)}, {use}")
        except PackageNotFoundError:
            yield Finding(package, "note", f"not installed; for {use}: pip install 'unveil[{extra}]'")
