"""Poses from files of motions, BVH and AMASS's, as batches of local rotations that are fetched by index."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from unveil.body import GENDERS, JOINTS, Body, BodyMotion, Motion, read_amass, read_bvh
from unveil.body.retargeting import retarget
from unveil.core.errors import ConfigError, DataError
from unveil.core.files import reason, shown
from unveil.core.numbers import check_whole
from unveil.core.protocols import Progress
from unveil.core.random import Randomness
from unveil.data.folders import walk
from unveil.data.found import held_out_fifth
from unveil.data.places import Index, checked_places
from unveil.data.random_poses import TESTING, TRAINING, RandomPoses
from unveil.data.sources import MOTIONS, check_source
from unveil.data.split import Split, check_split
from unveil.data.store import digest
from unveil.geometry import matrix_from_6d, matrix_to_6d

_M = TypeVar("_M", BodyMotion, Motion)
_SUFFIXES = (".bvh", ".bvh.gz", ".npz")
_SPARE = 5  # of a single subject the last of so many parts of each motion is for testing


@dataclass(frozen=True, eq=False)
class Poses:
    """Poses of people in motion, one frame after another.

    Attributes:
        name: a short name of the source.
        six: local rotations as their first two columns, (N, 24, 6).
        betas: whose pose each is, (N, 10).
        gender: numbers, (N,).
        clips: what each file is called, and how many of the poses it holds, in their order.
        skipped: files that cannot be read, and why.
        notes: sentences on what else a user should know.
        shape: of a sample, (24, 3, 3).
        classes, class_names: None.
    """

    name: str
    six: Tensor = field(repr=False)
    betas: Tensor = field(repr=False)
    gender: Tensor = field(repr=False)
    clips: tuple[tuple[str, int], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    shape = (len(JOINTS), 3, 3)
    classes = None
    class_names = None

    def __len__(self) -> int:
        return len(self.six)

    @cached_property
    def fingerprint(self) -> str:
        """Names what `batch` gives."""
        return digest(self.six.numpy(), self.betas.numpy(), self.gender.numpy()).hex()

    def batch(self, index: Index, generator: Randomness = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Poses of some indices: local rotations (B, 24, 3, 3), and {"shape": (B, 10), "gender": (B,)}; nothing is random.

        Raises:
            IndexError: an index is not in 0 .. len - 1.
        """
        places = torch.from_numpy(checked_places(index, len(self), self.name))
        return matrix_from_6d(self.six[places]), {"shape": self.betas[places], "gender": self.gender[places]}


def open_poses(
    source: str | os.PathLike[str],
    body: Body,
    *,
    split: Split = "train",
    fps: float = 30.0,
    held_out: Sequence[str] = (),
    validation: Sequence[str] = (),
    limit: int | None = None,
    progress: Progress | None = None,
) -> "Poses | RandomPoses":
    """Open poses of people.

    Files are AMASS's .npz, and .bvh and .bvh.gz of any human skeleton, which is retargeted to the body's. Whose motion a file
    holds is told by its folder, or in a folder without folders by what its name begins with: 02_01.bvh is of the subject 02.

    Args:
        source: a file, a folder of files at any depth, or "motions" for poses that are made as they are asked for.
        body: who moves.
        split: "train", "test" or "all".
        fps: frames a second that are kept.
        held_out: subjects, or folders, that are for testing; without it a fifth of the subjects, and if there is only one
            the last fifth of each motion.
        validation: subjects, or folders, that are neither for training nor for testing.
        limit: at most so many poses, spread evenly.
        progress: told how many files are read.

    Raises:
        DataError: there is nothing of the kind, or nothing of the split.
        ConfigError: another split, or numbers that cannot be.
    """
    check_split(split)
    if not 0 < fps < float("inf"):
        raise ConfigError(f"fps is {fps}; it must be a positive number of frames per second.")
    if limit is not None:
        check_whole("limit", limit)
    place = check_source(source)
    if place.kind == MOTIONS:
        return _random_poses(body, split, limit)
    files = _files(place.path, str(source))
    wanted, share = _divided(files, split, held_out, validation)
    motions: list[BodyMotion] = []
    clips, skipped = [], []
    for done, file in enumerate(wanted):
        try:
            motion = _part(_read(file.path, body, fps), split, share)
        except DataError as error:
            skipped.append((shown(file.name), str(error).rstrip(".")))
        else:
            motions.append(motion)
            clips.append((shown(file.name), len(motion)))
        if progress is not None:
            progress(done + 1, len(wanted))
    if not motions:
        why = f" The first: {skipped[0][1]}." if skipped else ""
        raise DataError(f"None of the motions of '{shown(str(source))}' can be read.{why}")
    counts = torch.tensor([len(motion) for motion in motions])
    six = matrix_to_6d(torch.cat([motion.pose for motion in motions]))
    betas = torch.stack([motion.shape for motion in motions]).repeat_interleave(counts, 0)
    genders = torch.tensor([GENDERS.index(motion.gender) for motion in motions]).repeat_interleave(counts)
    if limit is not None and limit < len(six):
        rows = torch.arange(limit) * len(six) // limit
        six, betas, genders = six[rows], betas[rows], genders[rows]
    return Poses(place.name, six, betas, genders, tuple(clips), tuple(skipped))


def _random_poses(body: Body, split: Split, limit: int | None) -> RandomPoses:
    if split == "all":
        raise ConfigError("Motions are made for training and for testing apart; take the split train or test.")
    most = TRAINING if split == "train" else TESTING
    return RandomPoses(most if limit is None else min(limit, most), int(split == "test"), body.genders)


@dataclass(frozen=True)
class _File:
    path: Path
    name: str
    names: tuple[str, ...]  # its folders, its subject: what it may be held out by
    subject: str


def _files(path: Path | None, source: str) -> list[_File]:
    if path is None:
        raise DataError(f"'{shown(source)}' holds no motions; give motions, .bvh files or AMASS's .npz files.")
    if path.is_file():
        return [_file(path, path.name)]
    found = [_file(path / name, name) for name in walk(path, suffixes=(".bvh", ".gz", ".npz"))]
    found = [file for file in found if file.name.lower().endswith(_SUFFIXES)]
    if not found:
        raise DataError(
            f"The folder '{shown(path)}' holds no motions, which are files ending in {', '.join(_SUFFIXES)}."
        )
    return found


def _file(path: Path, name: str) -> _File:
    *folders, last = Path(name).parts
    stem = last.partition(".")[0]
    subject = "/".join(folders) or stem.partition("_")[0]
    return _File(path, name, (*folders, subject, stem), subject)


def _divided(
    files: Sequence[_File], split: Split, held_out: Sequence[str], validation: Sequence[str]
) -> tuple[list[_File], bool]:
    """The files of a split, and whether each motion is shared between training and testing."""
    for name in (*held_out, *validation):
        if not any(name in file.names for file in files):
            known = sorted({file.subject for file in files})
            raise DataError(
                f"There are no motions of '{name}' to be held out; there are those of {', '.join(known[:20])}"
                f"{' and others' if len(known) > 20 else ''}."
            )
    if split == "all":
        return list(files), False
    left = [file for file in files if not set(validation) & set(file.names)]
    subjects = sorted({file.subject for file in left})
    if not held_out and len(subjects) < 2:
        return left, True
    if held_out:
        tested = {file.subject for file in left if set(held_out) & set(file.names)}
    else:
        digests = [digest(subject) for subject in subjects]
        chosen = held_out_fifth(digests) if len(subjects) >= _SPARE else [one == min(digests) for one in digests]
        tested = {subject for subject, out in zip(subjects, chosen, strict=True) if out}
    wanted = [file for file in left if (file.subject in tested) == (split == "test")]
    if not wanted:
        raise DataError(
            f"All motions are {'held out' if split == 'train' else 'for training'}; nothing is left to {split}."
        )
    return wanted, False


def _read(path: Path, body: Body, fps: float) -> BodyMotion:
    try:
        if path.suffix.lower() == ".npz":
            return _slowed(read_amass(path, body), fps)
        moved = retarget(_slowed(read_bvh(path), fps), body.skeleton())
    except OSError as error:
        raise DataError(f"it cannot be read: {reason(error)}") from None
    gender = "neutral" if "neutral" in body.genders else body.genders[0]
    return BodyMotion(moved.rot, moved.root, torch.zeros(10), gender, moved.fps)


def _slowed(motion: _M, fps: float) -> _M:
    """The motion at so many frames a second; frames of the file themselves where they come as often."""
    step = motion.fps / fps
    return motion[:: round(step)] if step >= 1 and abs(step - round(step)) < 0.01 else motion.resampled(fps)


def _part(motion: BodyMotion, split: Split, share: bool) -> BodyMotion:
    if not share:
        return motion
    cut = len(motion) - len(motion) // _SPARE
    part = motion[:cut] if split == "train" else motion[cut:]
    if not len(part):
        raise DataError(f"its {len(motion)} frames are too few to hold some out")
    return part
