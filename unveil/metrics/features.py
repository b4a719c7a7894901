"""Features: what a network sees in images, computed in batches and kept on disk by content."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.core.protocols import Dataset, Progress
from unveil.metrics.feature_cache import read_features, write_features
from unveil.metrics.feature_space import FeatureSpace, raw_bytes


@dataclass(frozen=True)
class Features:
    """A set of images as rows of numbers, and where they come from.

    Attributes:
        values: (n, F), float32, on the CPU.
        space: what the numbers are.
        split: "test", "train", "generated": which images these are.
        preprocessing: what was done to the images before.
    """

    values: Tensor = field(repr=False)
    space: FeatureSpace
    split: str
    preprocessing: str

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not len(self.values):
            raise ShapeError(
                f"Features of {self.space.name} got shape {tuple(self.values.shape)}; they must be (n, F) with n > 0."
            )
        if not self.values.isfinite().all():
            bad = int((~self.values.isfinite()).any(1).sum())
            raise DataError(
                f"{bad} of {len(self.values)} rows of {self.space.name} features are not finite. Look for NaN in the "
                f"images ({self.split}) or in the network's weights."
            )

    def __len__(self) -> int:
        return len(self.values)

    def against(self, reference: "Features") -> dict[str, Any]:
        """Describe a comparison with other features, for the record: the counts, splits and preprocessing of both.

        Raises:
            ConfigError: the two are not of the same space.
        """
        if self.space != reference.space or self.values.shape[1] != reference.values.shape[1]:
            raise ConfigError(
                f"Features of {self.space.name} ({self.values.shape[1]} numbers an image) cannot be compared with "
                f"those of {reference.space.name} ({reference.values.shape[1]}); take both in one space, from images "
                "of one size."
            )
        same = self.preprocessing == reference.preprocessing
        return {
            "count": len(self),
            "split": self.split,
            "preprocessing": self.preprocessing + ("" if same else f"; reference {reference.preprocessing}"),
            "reference_count": len(reference),
            "reference_split": reference.split,
        }

    def take(self, n: int, seed: int = 0) -> "Features":
        """Choose n rows at random, so that two sets can be compared at equal counts.

        Raises:
            ConfigError: there are fewer than n.
        """
        if not 1 <= n <= len(self):
            raise ConfigError(f"{n} rows were asked of {len(self)} features; ask for 1 to {len(self)}.")
        rows = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))[:n]
        return replace(self, values=self.values[rows.sort().values])


def extract_features(
    space: FeatureSpace,
    data: Tensor | Dataset,
    *,
    split: str,
    preprocessing: str = "",
    index: Sequence[int] | None = None,
    levels: int | None = 256,
    batch_size: int = 256,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Features:
    """Run a feature network over images, in inference mode and on the network's own device.

    Args:
        space: where to; `PIXELS` or `FeatureSpace.of(network, name)`.
        data: images (n, C, H, W) in [-1, 1], or a data set of them. If it has a `fingerprint`, that must name what its
            `batch` gives; it saves reading all the images to know that their features are there already.
        split: which images these are, for the record.
        preprocessing: what was done to them before, for the record; their size and the rounding are added.
        index: which samples of `data`; all of them when None.
        levels: clamp to [-1, 1] and round to so many levels first, as if every image had been saved to a file: real
            pictures were, and generated ones should have no finer tones to be known by. None leaves them as they are.
        batch_size: images at a time; it changes no more than the last digits.
        cache: folder that keeps features by content, e.g. `cache_folder()`. None keeps nothing, and a space without
            a digest (pixels, a plain function) is never kept.
        progress: told how many images are done.

    Returns:
        One row per image, in order.

    Raises:
        ShapeError: the network's answer is not one row per image.
        DataError: there are no images, they are not floating numbers, or a feature is not finite.
        ConfigError: fewer than two levels.
    """
    index = range(len(data)) if index is None else index
    if not len(index):
        raise DataError(f"There are no images to take features of ({split}); give at least one.")
    shape = "x".join(str(side) for side in _images(data, index[:1]).shape[1:])
    steps = [preprocessing, shape, f"rounded to {levels} levels in [-1, 1]" if levels is not None else "not rounded"]
    described = ", ".join(step for step in steps if step)
    path = cache / _key(space, data, index, described) if cache is not None and space.digest else None
    kept = read_features(path) if path is not None else None
    values = _compute(space, data, index, levels, batch_size, progress) if kept is None else kept
    features = Features(values, space, split, described)
    if path is not None and kept is None:
        write_features(path, values)
    return features


def _compute(
    space: FeatureSpace,
    data: Tensor | Dataset,
    index: Sequence[int],
    levels: int | None,
    batch_size: int,
    progress: Progress | None,
) -> Tensor:
    rows: list[Tensor] = []
    with _at_rest(space.network) as device:
        for start in range(0, len(index), batch_size):
            x = _images(data, index[start : start + batch_size])
            with torch.inference_mode():
                x = x.to(device or x.device)
                rows.append(_row_per_image(space, space(x if levels is None else round_to_levels(x, levels)), len(x)))
            if progress is not None:
                progress(min(start + batch_size, len(index)), len(index))
    return torch.cat(rows)  # outside inference mode: an ordinary tensor


@contextmanager
def _at_rest(network: object) -> Iterator[torch.device | None]:
    """Switch a module's dropout and batch statistics off for a while, and tell where its weights are."""
    if not isinstance(network, nn.Module):
        yield None
        return
    training = [part for part in network.modules() if part.training]
    parameter = next(network.parameters(), None)
    network.eval()
    try:
        yield None if parameter is None else parameter.device
    finally:
        for part in training:
            part.training = True


def _row_per_image(space: FeatureSpace, answer: Tensor, n: int) -> Tensor:
    if answer.ndim > 2 and answer.shape[2:].numel() == 1:
        answer = answer.flatten(1)
    if answer.ndim != 2 or len(answer) != n:
        raise ShapeError(
            f"The feature network {space.name} answered {n} images with shape {tuple(answer.shape)}; it must be one "
            "row of features per image, (B, F). Pool or flatten what it returns."
        )
    return answer.float().cpu()


def round_to_levels(x: Tensor, levels: int) -> Tensor:
    """Clamp images to [-1, 1] and round them to evenly spaced levels; 256 is what an 8-bit file can hold."""
    if levels < 2:
        raise ConfigError(f"Images cannot be rounded to {levels} levels; give 2 or more, 256 for 8-bit images.")
    step = 2 / (levels - 1)
    return ((x.clamp(-1, 1) + 1) / step).round() * step - 1


def _images(data: Tensor | Dataset, index: Sequence[int]) -> Tensor:
    x = data[list(index)] if isinstance(data, Tensor) else data.batch(list(index))[0]
    if not x.is_floating_point():
        raise DataError(f"Images of type {x.dtype} were given; features are taken of floating numbers in [-1, 1].")
    return x


def _key(space: FeatureSpace, data: Tensor | Dataset, index: Sequence[int], described: str) -> str:
    """Name the features by everything that decides them."""
    content = getattr(data, "fingerprint", None) or _content(data)
    parts = [space.digest, space.output, described, content, ",".join(map(str, index))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest() + ".safetensors"


def _content(data: Tensor | Dataset, rows: int = 256) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(data), rows):
        x = _images(data, range(start, min(start + rows, len(data))))
        digest.update(f"{x.dtype} {tuple(x.shape)}".encode())
        digest.update(raw_bytes(x))
    return digest.hexdigest()
