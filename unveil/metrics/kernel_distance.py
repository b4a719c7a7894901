"""The kernel distance between two sets of images in a feature space; KID when the space is the published one."""

from math import sqrt

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.divergences.mmd import Kernel, Polynomial, mmd2
from unveil.metrics.features import Features
from unveil.metrics.intervals import student_interval
from unveil.metrics.measure import Measure

_CUBIC = Polynomial()


def kernel_distance(
    features: Features,
    reference: Features,
    *,
    subsets: int = 100,
    subset_size: int | None = None,
    kernel: Kernel = _CUBIC,
    seed: int = 0,
) -> Measure:
    """Measure how differently a kernel sees two sets of images: the unbiased discrepancy, averaged over random subsets.

    Unlike the Frechet distance it is right on average for any number of images, and may fall below zero. The subsets
    overlap, so their variance is scaled as the delete-d jackknife asks: by m / (n - m) for subsets of m among n.

    Args:
        features: of the images that are judged.
        reference: of the images they are judged by, in the same space.
        subsets: how many subsets are drawn.
        subset_size: images in each, from both sets; None means 1000, or half of the smaller set if that is less.
        kernel: similarity of features; the published one is (x.y / d + 1)^3.
        seed: of the subsets.

    Returns:
        "KID" with the published Inception features, "kernel-distance[SPACE]" with any others, and "mmd[SPACE]" with a
        kernel of your own.

    Raises:
        ConfigError: the features are of different spaces, or a subset does not fit into a set.

    Source: Binkowski et al. (2018), arXiv:1801.01401, section 4; Shao and Wu (1989) for the interval.
    """
    about = features.against(reference)
    fewest = min(len(features), len(reference))
    size = min(1000, fewest // 2) if subset_size is None else subset_size
    if subset_size is None and size < 2:
        raise ConfigError(
            f"The kernel distance needs 4 images or more in each set; the sets hold {len(features)} and {len(reference)}."
        )
    if not 2 <= size <= fewest or subsets < 1:
        raise ConfigError(
            f"The kernel distance was asked for {subsets} subsets of {size} images from sets of {len(features)} and "
            f"{len(reference)}; it needs at least one subset, of 2 to {fewest} images."
        )
    x, y = features.values.double(), reference.values.double()
    generator = torch.Generator().manual_seed(seed)

    def draw(z: Tensor) -> Tensor:
        return z[torch.randperm(len(z), generator=generator)[:size]]

    values = torch.stack([mmd2(draw(x), draw(y), kernel) for _ in range(subsets)])
    value, interval, kind = values.mean().item(), None, ""
    if subsets > 1 and size < fewest:
        error = values.std().item() * sqrt(size / (fewest - size) + 1 / subsets)
        interval = student_interval(value, error, subsets - 1)
        kind = "95%, jackknife by subsets"
    published = kernel == _CUBIC
    notes = [f"mean of {subsets} subsets of {size}"] + ([] if published else [f"kernel {kernel}"])
    return Measure(
        features.space.metric("KID", "kernel-distance") if published else f"mmd[{features.space.name}]",
        value,
        interval=interval,
        interval_kind=kind,
        notes=tuple(notes),
        **about,
    )
