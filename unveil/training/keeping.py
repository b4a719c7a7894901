"""What is kept of a training: the run's folder while `fit` is at work in it."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn

from unveil.core.errors import RunError
from unveil.training.checkpoint import Checkpoint, Checkpoints
from unveil.training.logbook import LogFile
from unveil.training.processes import Processes
from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import read_tensors, write_tensors

Begin = Callable[[Mapping[str, Any] | None], None]
"""Told the settings that the newest checkpoint was made with; None where there is none."""


class Keeping:
    """The folder of a run in the hands of a training: first read, and changed only from `begin` on.

    All processes make one and call the same methods; the first one writes. What it refuses, all refuse.

    Args:
        run: the folder; without one nothing is kept.
        here: the processes.
        keep: how many of the newest checkpoints stay.
        anew: pay no heed to what the folder holds.
        stack: closed when the training is over, which lets go of the folder.

    Attributes:
        resumed: the checkpoint to go on from.

    Raises:
        RunError: the folder is in use, or no checkpoint in it is whole.
    """

    def __init__(self, run: RunFolder | None, here: Processes, keep: int, anew: bool, stack: ExitStack) -> None:
        self.run, self._here, self._anew, self._stack = run, here, anew, stack
        self._checkpoints = Checkpoints(run.state, keep) if run is not None else None
        self._log: LogFile | None = None
        self.begun = False
        self.resumed: Checkpoint | None = None
        if not anew:
            self._lock()
            self.resumed = self._newest()

    def source(self, checkpoint: Checkpoint) -> str:
        """Name the file of a checkpoint."""
        assert self._checkpoints is not None
        return str(self._checkpoints.path(checkpoint.stage, checkpoint.step))

    def begin(self, begin: Begin | None, changes: Sequence[str]) -> None:
        """Change the folder for the first time, now that nothing is left to be refused.

        Args:
            begin: what else to do first; it may refuse.
            changes: settings that are others than those of the checkpoint, in words.
        """
        self.begun, kept = True, self.resumed
        with self._here.together():
            if begin is not None and self._here.main:
                begin(kept.notes["settings"] if kept else None)
        if self._anew:
            self._lock()
        with self._here.together():
            if self.run is not None and self._checkpoints is not None and self._here.main:
                self._checkpoints.drop_after(*((kept.stage, kept.step) if kept else ()))
                self._log = LogFile(self.run, kept.notes["log"] if kept else 0)
                self._stack.callback(self._log.close)
        if changes and self._here.main:
            warnings.warn(
                f"This run goes on with other settings than before ({'; '.join(changes)}), so it will not end with the "
                "weights of an uninterrupted run.",
                stacklevel=2,
            )

    def log(self, line: Mapping[str, Any]) -> None:
        """Add a line to the log."""
        with self._here.together():
            if self._log is not None:
                self._log.write(line)

    def save(self, checkpoint: Checkpoint, weights: Mapping[str, Tensor] | None, about: Mapping[str, Any]) -> None:
        """Write a checkpoint, and before it the weights, so that a finished stage has them whenever the power fails.

        Args:
            checkpoint: its notes are those of the training; the size of the log is added here.
            weights: for `weights.safetensors`; None leaves that as it is.
            about: what the weights say of themselves.
        """
        with self._here.together():
            if self.run is None or self._checkpoints is None or self._log is None:
                return
            if weights is not None:
                write_tensors(self.run.weights, weights, about)
            notes = {**checkpoint.notes, "log": self._log.size()}
            self._checkpoints.save(Checkpoint(checkpoint.stage, checkpoint.step, checkpoint.tensors, notes))

    def mend(self, model: nn.Module, about: Mapping[str, Any]) -> bool:
        """Write the weights of a finished run again if they are missing or damaged, and tell whether they were."""
        with self._here.together():
            if self.run is None or not self._here.main:
                return False
            try:
                read_tensors(self.run.weights)
                return False
            except RunError:
                write_tensors(self.run.weights, model.state_dict(), about)
                return True

    def _lock(self) -> None:
        with self._here.together():
            if self.run is not None and self._here.main:
                self._stack.enter_context(self.run.lock())

    def _newest(self) -> Checkpoint | None:
        """Find the checkpoint to go on from; the first process chooses for all."""
        if self._checkpoints is None:
            return None
        found = None
        with self._here.together():
            if self._here.main:
                found = self._checkpoints.newest()
        stage, step = self._here.share_numbers([found.stage, found.step] if found else [-1, -1])
        with self._here.together():
            if stage >= 0 and not self._here.main:
                found = self._checkpoints.read(stage, step)
        return found
