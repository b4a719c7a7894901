"""What the demo says as it goes on: which part is being done, and how long everything will still take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


class Parts:
    """Tells which part is being done, and about how long everything will still take.

    Args:
        seconds: for each part what it took on some machine; how long it takes on this one is learned on the way.
    """

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.done = 0
        self.began = time.monotonic()

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    @contextmanager
    def next(self) -> Iterator[None]:
        """Announce the next part, and count it when it is over."""
        console.print(f"Part {self.done + 1} of {len(self.seconds)}, {self.left()}: {list(self.seconds)[self.done]}")
        yield
        self.done += 1

    def left(self, share: float = 0.0) -> str:
        """How long it still takes, when `share` of the present part is done."""
        each = list(self.seconds.values())
        known = sum(each[: self.done]) + share * (each[self.done] if self.done < len(each) else 0.0)
        slowness = self.elapsed() / known if known > sum(each) / 20 else 1.0
        minutes = round(slowness * (sum(each) - known) / 60)
        return f"about {minutes} minute{'s' * (minutes > 1)} left" if minutes else "less than a minute left"
