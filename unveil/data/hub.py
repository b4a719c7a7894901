"""Data sets in the format of the Hugging Face library `datasets`, by name or from a folder on disk (extra `hub`)."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unveil.core.errors import DataError
from unveil.core.files import reason, shown
from unveil.data.found import Encoded, Found
from unveil.data.split import Split
from unveil.data.store import digest

_HELD_OUT = ("test", "validation", "val")


def read_hub(name: str, path: Path | None, split: Split) -> Found:
    """Find the pictures, and the classes if there are any, of a data set.

    Its split "train" is for training, "test" (or "validation") is held out; without either it has no own parts.

    Args:
        name: NAME or NAME:CONFIG, as on the hub.
        path: the folder written by `save_to_disk`, instead of a name.
        split: which part is wanted; the other is not read.

    Raises:
        DataError: the data set cannot be had, or has no column of images.
    """
    where = f"'{shown(path)}'" if path else f"'hf:{name}'"
    parts = _load(name, path, where)
    train = next((part for part in ("train", *parts) if part in parts and part not in _HELD_OUT), None)
    test = next((part for part in _HELD_OUT if part in parts), None)
    if train is None or test is None:
        only = train or test or next(iter(parts))
        return _found({only: parts[only]}, None, where)
    wanted = {part: parts[part] for part in (train, test) if split == "all" or (part == test) == (split == "test")}
    held_out = np.concatenate([np.full(len(rows), part == test) for part, rows in wanted.items()])
    return _found(wanted, held_out, where)


def _load(name: str, path: Path | None, where: str) -> dict[str, Any]:
    import datasets

    try:
        loaded = datasets.load_from_disk(str(path)) if path else datasets.load_dataset(*name.split(":", 1))
    except Exception as error:  # the library and what it stands on raise a score of kinds
        hint = "" if path else " It needs a network, unless it was fetched on this machine before."
        raise DataError(f"The data set {where} cannot be opened: {reason(error)}.{hint}") from None
    return dict(loaded) if isinstance(loaded, dict) else {"train": loaded}


def _found(parts: dict[str, Any], held_out: np.ndarray | None, where: str) -> Found:
    import datasets

    tables = list(parts.values())
    features = tables[0].features
    column = next((key for key, kind in features.items() if isinstance(kind, datasets.Image)), None)
    if column is None:
        raise DataError(f"The data set {where} has no column of images; it has {', '.join(features)}.")
    label = next((key for key, kind in features.items() if isinstance(kind, datasets.ClassLabel)), None)
    rows = datasets.concatenate_datasets(tables) if len(tables) > 1 else tables[0]
    encoded = rows.select_columns([column]).cast_column(column, datasets.Image(decode=False))
    pictures = Encoded(
        [f"row {row} of {where}" for row in range(len(rows))],
        partial(_read, encoded, column),
        f"{where} {'+'.join(parts)}",
        digest(*(table._fingerprint for table in tables)).hex(),
        encoded.data.nbytes,
    )
    if label is None:
        return Found(pictures, held_out=held_out)
    labels = np.asarray(rows[label], np.int64)
    if (labels < 0).any():  # how a hidden label is written
        return Found(pictures, held_out=held_out)
    return Found(pictures, labels, features[label].num_classes, tuple(features[label].names), held_out)


def _read(rows: Any, column: str, row: int) -> bytes:
    cell = rows[row][column]
    if cell["bytes"] is not None:
        return bytes(cell["bytes"])
    return Path(cell["path"]).read_bytes()
