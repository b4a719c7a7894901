"""What is written down as training goes: the means of losses and logs, without ever waiting for a GPU in between."""

import errno
import json
import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unveil.core.errors import DivergenceError
from unveil.core.protocols import Move
from unveil.training.disk import told_plainly
from unveil.training.processes import Processes
from unveil.training.run_folder import RunFolder


class _Note(NamedTuple):
    step: int
    player: str
    means: dict[str, Tensor]  # of the batch, each ()
    samples: dict[str, Tensor]  # of each sample, such as its t


class Logbook:
    """Collects what the moves of a stage tell, and gives means over the steps since it was last asked.

    Numbers stay on the device until `settle`, where they are averaged over the processes and looked at. Logs that have
    a value for each sample go into no mean: they are kept to explain a loss that is not finite.

    Args:
        stage: the stage's name.
        names_players: whether the names of the values begin with that of the player; needed when there are several.
        here: the processes to average over.
    """

    def __init__(self, stage: str, names_players: bool, here: Processes) -> None:
        self.stage, self._names_players, self._here = stage, names_players, here
        self._waiting: list[_Note] = []
        self.settled: dict[str, list[float]] = {}

    def add(self, step: int, move: Move, norm: Tensor | None) -> None:
        """Note a move of a step, and the norm of its gradient."""
        logs = {name: torch.as_tensor(value).detach() for name, value in move.logs.items()}
        logs["loss"] = move.loss.detach()
        if norm is not None:
            logs["gradient_norm"] = norm
        means = {name: value for name, value in logs.items() if value.ndim == 0}
        samples = {name: value for name, value in logs.items() if value.ndim > 0}
        self._waiting.append(_Note(step, move.player, means, samples))

    def settle(self) -> None:
        """Bring what was noted over from the device.

        Raises:
            DivergenceError: a loss is not finite; the message names the step and the player.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        device = self._here.device
        numbers = torch.stack([x.to(device).float() for note in waiting for x in note.means.values()])
        self._here.average_([numbers])
        found = iter(numbers.tolist())
        for note in waiting:
            for name in note.means:
                number = next(found)
                if name == "loss" and not math.isfinite(number):
                    raise DivergenceError(self._diverged(note, number))
                key = f"{note.player}.{name}" if self._names_players else name
                self.settled.setdefault(key, []).append(number)

    def means(self) -> dict[str, float]:
        """Give the means of everything since this was last asked, and begin anew."""
        self.settle()
        settled, self.settled = self.settled, {}
        return {name: math.fsum(values) / len(values) for name, values in settled.items()}

    def _diverged(self, note: _Note, loss: float) -> str:
        logs = {name: value for name, value in (note.samples | note.means).items() if name != "loss"}
        about = [f"{name} = {_shown(value)}" for name, value in logs.items()]
        return (
            f"Training diverged: the loss of the player {note.player!r} became {loss} in step {note.step + 1} of stage "
            f"{self.stage!r}{' (' + ', '.join(about) + ')' if about else ''}. A lower learning rate, a longer warm-up "
            "or a smaller clip usually helps; checkpoints are from before."
        )


class LogFile:
    """The lines of `log.jsonl`.

    Args:
        run: whose log.
        size: how many bytes of it to keep; the rest is what a checkpoint has taken back.
    """

    def __init__(self, run: RunFolder, size: int) -> None:
        self._path = run.log
        run.cut_log(size)
        with told_plainly(self._path):
            self._file = self._path.open("ab", buffering=0)

    def write(self, line: Mapping[str, Any]) -> None:
        """Add one line; numbers that are not finite become null."""
        plain = {key: None if isinstance(x, float) and not math.isfinite(x) else x for key, x in line.items()}
        data = json.dumps(plain).encode() + b"\n"
        with told_plainly(self._path):
            if self._file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def size(self) -> int:
        """Give how many bytes there are, once all of them have reached the disk."""
        with told_plainly(self._path):
            os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Write no more."""
        self._file.close()


def _shown(values: Tensor) -> str:
    numbers = values.flatten().tolist()
    text = ", ".join(f"{number:.4g}" for number in numbers[:8])
    return text if len(numbers) == 1 else f"[{text}{', ...' if len(numbers) > 8 else ''}]"
