"""The indices that a data set is asked for."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

Index = Sequence[int] | np.ndarray | Tensor
"""Of samples, in any order and as often as wanted."""


def checked_places(index: Index, count: int, name: str) -> np.ndarray:
    """Indices as numbers, (B,) int64.

    Args:
        index: what was asked for.
        count: how many samples there are.
        name: of the data set.

    Raises:
        IndexError: an index is not in 0 .. count - 1.
    """
    places = np.asarray(index, dtype=np.int64).reshape(-1)
    if len(places) and not 0 <= places.min() <= places.max() < count:
        raise IndexError(f"Indices {places.min()} to {places.max()} leave 0..{count - 1} of '{name}'.")
    return places
