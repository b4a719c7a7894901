"""Fetching ahead: while a step is computed, the data of the next ones is made ready."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def ahead(fetch: Callable[[int], T], steps: Iterable[int], depth: int = 2) -> Iterator[tuple[int, T]]:
    """Yield (step, fetch(step)) for every step in turn, fetched in one background thread.

    Nothing beyond the last step is fetched; an error in `fetch` is raised here, at the step that it belongs to.

    Args:
        fetch: makes what a step needs; only ever called from the one thread, in the order of the steps.
        steps: the steps.
        depth: how many steps to be ahead.
    """
    coming = iter(steps)
    thread = ThreadPoolExecutor(1, "unveil-data")
    try:
        waiting = deque((step, thread.submit(fetch, step)) for step in islice(coming, depth))
        while waiting:
            step, future = waiting.popleft()
            ready = future.result()
            waiting.extend((later, thread.submit(fetch, later)) for later in islice(coming, 1))
            yield step, ready
    finally:
        thread.shutdown(cancel_futures=True)
