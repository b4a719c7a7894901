"""Improved precision and recall: how many samples look real, and how much of the real data they cover."""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.divergences.distances import squared_distances
from unveil.metrics.features import Features
from unveil.metrics.intervals import share_interval
from unveil.metrics.measure import Measure

_ROUNDING = 1e-12
"""How far apart two equal distances may come out, as a share of a set's largest squared distance from its centre."""


def precision_recall(
    features: Features, reference: Features, *, k: int = 3, block: int = 1024
) -> tuple[Measure, Measure]:
    """Measure the share of samples that lie among the real ones, and the share of real ones that lie among samples.

    A point lies among a set when it is within some member's ball, which reaches to the member's k-th nearest neighbour
    in its own set. Distances are taken in float64, a block of rows at a time. Both shares grow or shrink with the
    counts, so compare them only at equal counts.

    Args:
        features: of the generated images.
        reference: of real images, in the same space.
        k: which neighbour gives the radius; 3 is the published choice.
        block: rows of the distance matrix that are held at a time.

    Returns:
        Precision and recall, as "precision[SPACE]" and "recall[SPACE]".

    Raises:
        ConfigError: the features are of different spaces, or a set has no k-th neighbour.

    Source: Kynkaanniemi et al. (2019), arXiv:1904.06991, eq. 1 to 4.
    """
    about = features.against(reference)
    if not 1 <= k < min(len(features), len(reference)):
        raise ConfigError(
            f"Precision and recall look for the k-th neighbour of every image in its set, so k must be 1 or more and less "
            f"than the images of each; k is {k}, and the sets hold {len(features)} and {len(reference)}."
        )
    fake, real = features.values.double(), reference.values.double()
    inside = _count_within(fake, real, k, block)
    covered = _count_within(real, fake, k, block)
    notes = [f"k={k}"]
    if len(fake) != len(real):
        notes.append("the sets differ in size: compare only with the same two sizes")

    def share(name: str, successes: int, n: int) -> Measure:
        return Measure(
            f"{name}[{features.space.name}]",
            successes / n,
            interval=share_interval(successes, n),
            interval_kind="95%, Wilson, the neighbourhoods held fixed",
            better="high",
            notes=tuple(notes),
            **about,
        )

    return share("precision", inside, len(fake)), share("recall", covered, len(real))


def _count_within(points: Tensor, members: Tensor, k: int, block: int) -> int:
    """How many points lie in the ball of some member."""
    reach = _reach(members, k, block) + _ROUNDING * (members - members.mean(0)).square().sum(1).max()
    return sum(int((squared_distances(rows, members) <= reach).any(1).sum()) for rows in points.split(block))


def _reach(members: Tensor, k: int, block: int) -> Tensor:
    """The squared distance from each member to its k-th nearest other member."""
    reach = []
    for start in range(0, len(members), block):
        squared = squared_distances(members[start : start + block], members)
        squared.diagonal(start).fill_(torch.inf)  # nobody is their own neighbour
        reach.append(squared.kthvalue(k, 1).values)
    return torch.cat(reach)
