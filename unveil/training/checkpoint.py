"""Checkpoints: all that is needed to go on as if nothing had happened."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from unveil.core.errors import RunError
from unveil.training.disk import PART
from unveil.training.run_folder import places
from unveil.training.tensor_file import DamagedError, read_tensors, write_tensors


@dataclass(frozen=True)
class Checkpoint:
    """The whole state of a training between two steps.

    There are no states of random generators: every random number is named by seed, stage and step.

    Attributes:
        stage: which stage, counted from 0.
        step: steps taken in that stage.
        tensors: weights, their averages and the optimisers' memories, by name.
        notes: the rest, as JSON can hold it.
    """

    stage: int
    step: int
    tensors: Mapping[str, Tensor]
    notes: Mapping[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of a run, one safetensors file each, of which the newest few are kept.

    Args:
        folder: where they lie.
        keep: how many of the newest stay.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep

    def path(self, stage: int, step: int) -> Path:
        """Give the place of a checkpoint; the names sort by age."""
        return self.folder / f"stage-{stage:03d}-step-{step:09d}.safetensors"

    def places(self) -> list[tuple[int, int]]:
        """List (stage, step) of the checkpoints, oldest first."""
        return places(self.folder)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; only when it is safely on the disk are the oldest deleted.

        Raises:
            RunError: the disk is full or cannot be written to; the checkpoints before are whole.
        """
        write_tensors(self.path(checkpoint.stage, checkpoint.step), checkpoint.tensors, checkpoint.notes)
        for place in self.places()[: -self.keep]:
            self.path(*place).unlink()

    def read(self, stage: int, step: int) -> Checkpoint:
        """Read one checkpoint.

        Raises:
            RunError: it is missing or damaged.
        """
        return Checkpoint(stage, step, *read_tensors(self.path(stage, step)))

    def newest(self) -> Checkpoint | None:
        """Read the newest checkpoint that is whole, and warn of newer ones that are not. Nothing is changed.

        Returns:
            None when there is none yet.

        Raises:
            RunError: there are checkpoints, and all of them are damaged.
        """
        damaged: list[DamagedError] = []
        for place in reversed(self.places()):
            try:
                checkpoint = self.read(*place)
            except DamagedError as error:
                damaged.append(error)
                continue
            for reason in damaged:
                warnings.warn(f"{reason} The checkpoint of step {checkpoint.step} is used instead.", stacklevel=2)
            return checkpoint
        if damaged:
            raise RunError(
                f"No checkpoint is whole: {damaged[0]} Repair it, or train anew, in another folder or with force."
            )
        return None

    def drop_after(self, stage: int = -1, step: int = -1) -> None:
        """Delete the checkpoints that are newer than one, all without one, and what was left half written."""
        for leftover in self.folder.glob(f"*{PART}"):
            leftover.unlink()
        for place in self.places():
            if place > (stage, step):
                self.path(*place).unlink()
