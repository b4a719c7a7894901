"""Progress on the screen: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Mapping
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_BLINK = 0.5  # seconds between two looks of the bar; drawing it costs some milliseconds
_QUIET = 10.0  # seconds between two lines


class Reporter(Protocol):
    """Tells a person how far a stage is."""

    def begin(self, stage: str, done: int, steps: int) -> None:
        """Turn to a stage, of which some steps may be done."""
        ...

    def update(self, done: int, logs: Mapping[str, float]) -> None:
        """Tell how many steps are done, and the newest means of losses and of what else is worth a look."""
        ...

    def close(self) -> None:
        """Be done."""
        ...


class Silent:
    """Says nothing."""

    def begin(self, stage: str, done: int, steps: int) -> None:
        """Say nothing."""

    def update(self, done: int, logs: Mapping[str, float]) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""


class Bar:
    """A bar for each stage, with the losses, the speed and the time that is left."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[losses]}"),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
        )
        self._bars.start()
        self._task: TaskID | None = None
        self._looked = 0.0

    def begin(self, stage: str, done: int, steps: int) -> None:
        """Draw a new bar below those of the stages before."""
        self._task = self._bars.add_task(stage, total=steps, completed=done, losses="", speed="")
        self._steps = steps

    def update(self, done: int, logs: Mapping[str, float]) -> None:
        """Draw the bar again, if it was not just drawn."""
        now = time.monotonic()
        if self._task is None or (now - self._looked < _BLINK and done < self._steps):
            return
        self._looked = now
        self._bars.update(self._task, completed=done, losses=_losses(logs))
        speed = self._bars.tasks[self._task].speed
        self._bars.update(self._task, speed=_speed(speed), refresh=True)

    def close(self) -> None:
        """Leave the bars where they are."""
        self._bars.stop()


class Lines:
    """A plain line every few seconds and at the end of a stage."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self, stage: str, done: int, steps: int) -> None:
        """Turn to a stage."""
        self._stage, self._first, self._steps = stage, done, steps
        self._began = self._said = time.monotonic()

    def update(self, done: int, logs: Mapping[str, float]) -> None:
        """Say a line, if none was just said."""
        now = time.monotonic()
        if now - self._said < _QUIET and done < self._steps:
            return
        self._said = now
        speed = (done - self._first) / max(now - self._began, 1e-9)
        left = f"{_duration((self._steps - done) / max(speed, 1e-9))} left" if done < self._steps else "done"
        parts = [f"{self._stage} {done}/{self._steps}", _losses(logs), _speed(speed), left]
        self._console.print(", ".join(part for part in parts if part), markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Leave nothing behind."""


def reporter(progress: bool | Reporter) -> Reporter:
    """Give the reporter that was chosen: one's own, what fits the standard error stream, or one that says nothing."""
    if not isinstance(progress, bool):
        return progress
    if not progress:
        return Silent()
    console = Console(stderr=True)
    return Bar(console) if console.is_terminal else Lines(console)


def _losses(logs: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in logs.items())


def _speed(speed: float | None) -> str:
    if not speed:
        return ""
    return f"{speed:.1f} it/s" if speed >= 1 else f"{1 / speed:.1f} s/it"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
