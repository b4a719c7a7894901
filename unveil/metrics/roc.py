"""How well a score tells two sets apart."""

import torch
from torch import Tensor

from unveil.core.errors import DataError


def auroc(ordinary: Tensor, strange: Tensor) -> float:
    """The chance that a strange sample has a higher score than an ordinary one; ties count half. 0.5 is a guess.

    It is the area under the curve of true against false alarms.

    Args:
        ordinary: scores, (n,).
        strange: scores, (m,).

    Raises:
        DataError: a set is empty, or a score is not finite.

    Source: Fawcett (2006), An introduction to ROC analysis.
    """
    if not len(ordinary) or not len(strange):
        raise DataError("Two sets of scores are compared; one of these is empty.")
    scores = torch.cat([ordinary, strange]).double()
    if not bool(scores.isfinite().all()):
        raise DataError("A score is not finite, so the two sets have no order.")
    _, place, counts = scores.unique(return_inverse=True, return_counts=True)
    ranks = counts.cumsum(0) - (counts - 1) / 2  # of each value, ties sharing the middle one
    total = ranks[place[len(ordinary) :]].sum()
    n, m = len(ordinary), len(strange)
    return float((total - m * (m + 1) / 2) / (n * m))
