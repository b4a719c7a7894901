"""How a task tells what it is doing: bars for work, sentences for what one should know. Imports no torch."""

import os
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Bar = Callable[[int, int], None]
"""Told (done, in all) as work goes on."""


class Report(Protocol):
    """Where a task's progress goes; the command line draws it."""

    def say(self, sentence: str) -> None:
        """Tell the user something, in a sentence."""
        ...

    def bar(self, title: str) -> AbstractContextManager[Bar]:
        """Open a progress bar for one job."""
        ...


class Quiet:
    """What tasks use when no report is given: no bars, and what one should know becomes a Python warning."""

    def say(self, sentence: str) -> None:
        """Warn."""
        warnings.warn(sentence, stacklevel=3)

    def bar(self, title: str) -> AbstractContextManager[Bar]:
        """Show nothing."""
        return nullcontext(lambda done, total: None)


def first_process() -> bool:
    """Whether this process, of those that torchrun started, writes the files and speaks to the user."""
    return os.environ.get("RANK", "0") == "0"
