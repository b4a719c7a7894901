"""Being asked to stop: the step at hand is finished and everything saved before the program ends."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

_PATIENCE = 1.0  # seconds in which a second signal is an echo: torchrun passes on what its children got already


class Interrupted(KeyboardInterrupt):
    """Training was stopped by Ctrl-C or SIGTERM after everything was saved; the message says how to go on.

    Attributes:
        signal: the number of the signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.signal = number


class Interrupt:
    """Notes SIGINT and SIGTERM while the block lasts, so that a step can be finished first.

    A second Ctrl-C stops at once. Outside of the main thread, where Python takes no signals, nothing is noted.

    Attributes:
        signal: the number of the signal that came; None before that.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._since = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.signal is None:
            self.signal, self._since = number, now
        elif number == signal.SIGINT and now - self._since > _PATIENCE:
            raise KeyboardInterrupt
