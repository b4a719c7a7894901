"""Motions and keyframes in time."""

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unveil.studio.session import Session


_REST = 0.4  # seconds at the end before it begins anew


class Player:
    """Goes through the chosen body's keyframes, or its motion, and begins anew at the end.

    Args:
        session: whose page it plays on.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._stopped = threading.Event()
        self._stopped.set()
        self.time = 0.0

    @property
    def playing(self) -> bool:
        """Whether it is."""
        return not self._stopped.is_set()

    def toggle(self) -> None:
        """Start or stop."""
        if self.playing:
            self.stop()
            return
        if self.length() <= 0:
            self._session.tell("There is nothing to play; open a motion or store two keyframes.")
            return
        self._stopped = threading.Event()  # another for each run, so that one that is ending does not go on
        threading.Thread(target=self._run, args=(self._stopped,), daemon=True).start()

    def stop(self) -> None:
        """Stop where it is."""
        self._stopped.set()

    def length(self) -> float:
        """Seconds that there are to play."""
        actor = self._session.editor.actor
        if len(actor.keyframes) > 1:
            return actor.keyframes[-1].seconds
        return 0.0 if actor.motion is None else (len(actor.motion) - 1) / actor.motion.fps

    def show(self, seconds: float) -> None:
        """Take the pose of a time."""
        self.time = seconds
        editor = self._session.editor
        actor = editor.actor
        if len(actor.keyframes) > 1:
            editor.show_time(seconds)
        elif actor.motion is not None:
            editor.show_frame(round(seconds * actor.motion.fps))

    def _run(self, stopped: threading.Event) -> None:
        begin = time.monotonic() - self.time
        while not stopped.wait(1 / 30):
            length = self.length()
            if length <= 0:
                break
            self.time = min((time.monotonic() - begin) % (length + _REST), length)
            if not self._session.do(lambda: self.show(self.time)):
                break
            self._session.wait(1.0)
        stopped.set()
        self._session.ask()
