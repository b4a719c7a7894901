"""Work on many samples, some at a time: which, their randomness, and how far it is. Imports no torch."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from unveil.tasks.report import Bar

if TYPE_CHECKING:
    from unveil.core.random import Streams


def batches(rows: range, size: int, seed: int, progress: Bar) -> Iterator[tuple[range, "Streams", Bar]]:
    """Cut rows into batches, which change no sample: each draws from streams of its own row.

    Args:
        rows: the samples' numbers.
        size: samples at a time; the last batch may be smaller.
        seed: names all that is random.
        progress: told how far the whole is.

    Returns:
        Of each batch its rows, their streams, and whom to tell (step, steps) of its own work; all batches have as many.
    """
    from unveil.core.random import Streams

    chunks = [rows[start : start + size] for start in range(0, len(rows), size)]
    for done, chunk in enumerate(chunks):
        yield chunk, Streams(seed, chunk), partial(_tell, progress, done, len(chunks))


def _tell(progress: Bar, done: int, count: int, step: int, steps: int) -> None:
    progress(done * steps + step, count * steps)
