"""What the user sees: words on standard output, bars and warnings on standard error."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from unveil.tasks.report import Bar, first_process


def stdout() -> Console:
    """Where results go."""
    return Console(highlight=False, soft_wrap=True, quiet=not first_process())


def stderr() -> Console:
    """Where progress, warnings and errors go."""
    return Console(stderr=True, highlight=False, soft_wrap=True, quiet=not first_process())


class ConsoleReport:
    """Shows a task's progress as bars, and what it has to say as lines."""

    def __init__(self) -> None:
        self.console = stderr()

    def say(self, sentence: str) -> None:
        """Print one line."""
        self.console.print(sentence, markup=False)

    @contextmanager
    def bar(self, title: str) -> Iterator[Bar]:
        """A bar for one job; there is none where there is no terminal."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as progress:
            task = progress.add_task(title, total=None)

            yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def resumable(run: Path) -> Iterator[None]:
    """Where a training in the block is interrupted, say which command goes on with its run, and exit as a shell would."""
    from unveil.training.interrupt import Interrupted

    try:
        yield
    except Interrupted as stop:
        stderr().print(f"{stop}\nGo on with: unveil train {shlex.quote(str(run))} --resume", markup=False)
        raise typer.Exit(128 + (stop.signal or 2)) from None
