"""Work of which only the newest matters."""

import threading
from collections.abc import Callable


class Latest:
    """A thread that does the work asked last; what was asked before and not yet begun is dropped.

    Args:
        work: called with no arguments; it asks for itself what there is to do.
        failed: told what the work raised.
    """

    def __init__(self, work: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        self._work, self._failed = work, failed
        self._asked = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._open = True
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True, name="pose-editor")
        self._thread.start()

    def ask(self) -> None:
        """Have the work done, soon, once."""
        with self._guard:
            self._idle.clear()
            self._asked.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is left to do; false if that took too long."""
        return self._idle.wait(seconds)

    def close(self) -> None:
        """End the thread after what it is doing."""
        self._open = False
        self._asked.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(5)

    def _run(self) -> None:
        while True:
            self._asked.wait()
            if not self._open:
                self._idle.set()
                return
            self._asked.clear()
            try:
                self._work()
            except Exception as error:
                self._failed(error)
            with self._guard:
                if not self._asked.is_set():
                    self._idle.set()
