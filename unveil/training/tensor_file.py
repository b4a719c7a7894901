"""Tensors in a safetensors file that knows whether it is whole. Nothing is ever pickled."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from unveil.core.errors import RunError
from unveil.training.disk import written_whole


class DamagedError(RunError):
    """A file that was cut short, cannot be read, or holds something else than what was written."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
    """Write tensors and notes in one instant, with a digest of both; equal ones give equal bytes.

    Args:
        path: the file; what was there stays until the new one is whole.
        tensors: by name, on any device; those that share memory are written one by one.
        notes: anything that JSON can hold.

    Raises:
        RunError: the disk is full or cannot be written to.
    """
    plain: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        memory = tensor.untyped_storage().data_ptr()
        plain[name] = tensor.clone() if memory in seen else tensor
        seen.add(memory)
    text = json.dumps(notes)
    with written_whole(path) as part:
        save_file(plain, part, metadata={"format": "pt", "notes": text, "sha256": _digest(plain, text)})
        _sort_header(part)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors, to the CPU, and notes. A file without a digest, from somewhere else, is taken as it is.

    Raises:
        DamagedError: the file was cut short, is otherwise damaged or cannot be read.
        RunError: the file is missing.
    """
    try:
        path.open("rb").close()  # the safetensors library calls missing whatever it may not open
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from error
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {error.strerror or error}.") from error
    except SafetensorError as error:
        raise DamagedError(f"{path} is damaged or is no safetensors file ({error}).") from error
    text = about.get("notes", "{}")
    if "sha256" in about and about["sha256"] != _digest(tensors, text):
        raise DamagedError(f"{path} is damaged: its contents are not what was written.")
    try:
        return tensors, json.loads(text)
    except json.JSONDecodeError as error:
        raise DamagedError(f"{path} is damaged: its notes cannot be read ({error}).") from error


def load_weights(model: nn.Module, path: Path) -> dict[str, Any]:
    """Give a model the weights of a file, where every name and shape must fit, and return the file's notes.

    Raises:
        RunError: the file is missing or damaged, or does not fit; the message names the first few misfits.
    """
    tensors, notes = read_tensors(path)
    load_state(model, tensors, str(path))
    return notes


def load_state(model: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Give a model its state by name, where every name and shape must fit.

    Raises:
        RunError: it does not fit; the message names `source` and the first few misfits.
    """
    own = model.state_dict()
    misfits = [f"{name} is missing" for name in own if name not in tensors]
    misfits += [f"{name} is not in the model" for name in tensors if name not in own]
    misfits += [
        f"{name} is {tuple(tensors[name].shape)}, not {tuple(value.shape)}"
        for name, value in own.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if misfits:
        shown = "; ".join(misfits[:3]) + (f"; and {len(misfits) - 3} more" if len(misfits) > 3 else "")
        raise RunError(f"{source} does not fit this model: {shown}. Was it made from another recipe?")
    model.load_state_dict(dict(tensors))


def _sort_header(path: Path) -> None:
    """Put the metadata in order, which the safetensors library writes in another one each time."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= size
        file.seek(8)
        file.write(text.ljust(size))


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
