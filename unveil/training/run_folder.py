"""A run is a folder: the recipe, the weights, what is needed to go on, and what happened on the way.

Nothing here imports torch, so that a command line can refuse a wrong folder at once.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from socket import gethostname
from typing import Any

from unveil.core.errors import ExistsError, RunError
from unveil.training.disk import PART, told_plainly, written_whole

if sys.platform != "win32":  # there two trainings in one folder go unnoticed
    import fcntl

_LOCK = "lock"
_CHECKPOINT = re.compile(r"stage-(\d+)-step-(\d+)\.safetensors")
_SAMPLES = re.compile(r".+-\d{7}\.png")


class RunFolder:
    """The places in the folder of a run. Making one of these touches nothing: see `create` and `open`.

    Attributes:
        path: the folder.
        recipe: `recipe.yaml`, all that is needed to rebuild the model.
        weights: `weights.safetensors`, averaged where there is an average.
        state: the folder `state/`, the checkpoints to resume from.
        log: `log.jsonl`, one line per log step.
        samples: the folder `samples/`, pictures as training goes.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.recipe = self.path / "recipe.yaml"
        self.weights = self.path / "weights.safetensors"
        self.state = self.path / "state"
        self.log = self.path / "log.jsonl"
        self.samples = self.path / "samples"

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def create(cls, path: str | os.PathLike[str], recipe: str, *, force: bool = False) -> "RunFolder":
        """Make the folder of a new run.

        Among several processes (torchrun) only the first writes; call this in all of them.

        Args:
            path: where; missing parents are made.
            recipe: the text of `recipe.yaml`.
            force: take the place of a run that is there already, and delete what a run writes there: its recipe,
                weights, log, checkpoints and numbered samples. Whatever else is in the folder stays.

        Raises:
            ExistsError: something is there, and `force` is not given or it is not a run.
            RunError: the folder cannot be written to, or a training is going on in it.
        """
        run = cls(path)
        if os.environ.get("RANK", "0") != "0":
            return run
        with told_plainly(run.path):
            if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
                run._make_way(force)
            try:
                run.state.mkdir(parents=True, exist_ok=True)
                run.samples.mkdir(exist_ok=True)
                (run.state / _LOCK).touch()  # which tells a run's folder from others
                run.write_recipe(recipe)
            except BaseException:
                run._unmake()
                raise
        return run

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, trained: bool = True) -> "RunFolder":
        """Give a run that is there.

        Args:
            path: the folder.
            trained: whether it must hold weights; not needed to resume.

        Raises:
            RunError: it is not a run; the message says what is missing.
        """
        run = cls(path)
        if not run.path.exists():
            raise RunError(f"There is no run at {run.path}{run._neighbours()}")
        if not run.path.is_dir():
            raise RunError(f"{run.path} is a file, not the folder of a run; give the folder that training made.")
        missing = [file.name for file in (run.recipe, run.weights) if not file.is_file()]
        if run.recipe.name in missing:
            raise RunError(
                f"{run.path} is not the folder of a run: it has no {' and no '.join(missing)}. "
                "Give the folder that training made."
            )
        if trained and missing:
            begun = "its training was stopped before the first weights were saved: resume it"
            raise RunError(f"{run.path} has no {run.weights.name}: {begun}.")
        return run

    def read_recipe(self) -> str:
        """Give the text of `recipe.yaml`."""
        try:
            return self.recipe.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{self.recipe} cannot be read: {error}.") from error

    def write_recipe(self, recipe: str) -> None:
        """Put another text in the place of `recipe.yaml`, in one instant.

        Raises:
            RunError: it cannot be written; the one before is as it was.
        """
        with written_whole(self.recipe) as part:
            part.write_text(recipe, encoding="utf-8")

    def read_log(self) -> list[dict[str, Any]]:
        """Give the whole lines of `log.jsonl`, oldest first; one that is still being written is left out."""
        if not self.log.exists():
            return []
        whole = self.log.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def cut_log(self, size: int) -> None:
        """Forget the lines beyond the first `size` bytes, and a line that was never finished."""
        if not self.log.exists():
            return
        kept = self.log.read_bytes()[:size]
        with told_plainly(self.log):
            os.truncate(self.log, kept.rfind(b"\n") + 1)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other process from training here while the block lasts.

        The operating system holds the lock and lets go of it when this process ends, in whatever way.

        Raises:
            RunError: a training is going on here already.
        """
        with told_plainly(self.state):
            self.state.mkdir(parents=True, exist_ok=True)
            file = (self.state / _LOCK).open("a+", encoding="utf-8")
        with file:
            if sys.platform != "win32":
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    file.seek(0)
                    raise RunError(
                        f"A training is going on in {self.path} already ({file.read().strip()}); "
                        "wait for it, stop it, or train into another folder."
                    ) from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {gethostname()}\n")
            file.flush()
            yield

    def is_trained_here(self) -> bool:
        """Whether this is a run that training made and may replace."""
        return self.recipe.is_file() and (self.state / _LOCK).is_file()

    def _make_way(self, force: bool) -> None:
        if not force:
            raise ExistsError(
                f"{self.path} exists and is not empty; choose another folder, resume the run in it, "
                "or replace it with force."
            )
        if not self.is_trained_here():
            raise ExistsError(f"{self.path} is not the folder of a run, so it is not replaced; choose another folder.")
        with self.lock():
            # The recipe goes last: without it nobody would know that the rest is a run's.
            for file in self.samples.glob("*.png"):
                if _SAMPLES.fullmatch(file.name):
                    file.unlink()
            for file in self.state.glob("*.safetensors*"):
                file.unlink()
            for file in (self.log, self.weights, self.weights.with_name(self.weights.name + PART), self.recipe):
                file.unlink(missing_ok=True)

    def _unmake(self) -> None:
        """Take back the folders of a run that could not be made; whatever else lies in them stays."""
        with suppress(OSError):
            (self.state / _LOCK).unlink()
        for folder in (self.state, self.samples, self.path):
            with suppress(OSError):
                folder.rmdir()

    def _neighbours(self) -> str:
        """Name the runs beside this path that are called nearly the same; or end the sentence."""
        folder = self.path.parent
        runs = [file.parent.name for file in folder.glob("*/recipe.yaml")] if folder.is_dir() else []
        near = get_close_matches(self.path.name, runs)
        return f"; did you mean {' or '.join(str(folder / name) for name in near)}?" if near else "."


def places(state: Path) -> list[tuple[int, int]]:
    """List (stage, step) of the checkpoints in a folder, oldest first, as their names tell."""
    found = (_CHECKPOINT.fullmatch(file.name) for file in state.glob("*"))
    return sorted((int(match[1]), int(match[2])) for match in found if match)
