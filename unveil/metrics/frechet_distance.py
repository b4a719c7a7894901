"""The Frechet distance between two sets of images in a feature space; FID when the space is the published one."""

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.divergences.frechet import Moments, frechet_gaussians, frechet_samples
from unveil.metrics.features import Features
from unveil.metrics.intervals import jackknife, student_interval
from unveil.metrics.measure import Measure


def frechet_distance(
    features: Features, reference: Features, *, groups: int = 10, to_infinity: bool = False, seed: int = 0
) -> Measure:
    """Measure how far apart two sets of images are, by the mean and covariance of their features.

    A finite sample makes the distance too large, the more so the fewer the images, and so numbers from different
    counts cannot be compared. Leaving out one random group of images after another tells how large that bias is to
    first order in 1 / n, and how far the distance would move for other images.

    Args:
        features: of the images that are judged.
        reference: of the images they are judged by, in the same space.
        groups: how many groups are left out in turn; 0 gives neither interval nor bias.
        to_infinity: report the distance less its bias, as if from infinitely many images, under a name that says so.
        seed: of the grouping.

    Returns:
        "FID" with the published Inception features, "frechet-distance[SPACE]" with any others.

    Raises:
        ConfigError: the features are of different spaces, or infinity is out of reach of so few images.

    Source: Heusel et al. (2017), arXiv:1706.08500; Chong and Forsyth (2020), arXiv:1911.07023, section 3, whose line in
    1 / n the jackknife fits by leaving groups out instead of by ever smaller subsets.
    """
    about = features.against(reference)
    x, y, dimensions = features.values, reference.values, features.values.shape[1]
    fewest = min(len(x), len(y))
    if few := fewest <= dimensions:
        warnings.warn(
            f"The Frechet distance is measured on {fewest} images in {dimensions} dimensions: the covariance is "
            "singular and the distance far too large. Use more images than dimensions, or a smaller feature space.",
            stacklevel=2,
        )
    groups = min(groups, fewest // 2)
    if to_infinity and (few or groups < 2):
        raise ConfigError(
            f"The distance at infinitely many images cannot be told from {fewest} images in {dimensions} dimensions "
            f"and {groups} groups; it needs more images than dimensions, and two groups or more."
        )
    value, interval, kind = frechet_samples(x, y), None, ""
    notes = [f"fewer images than the {dimensions} dimensions: far too large"] if few else []
    if groups >= 2:
        left_out = torch.tensor(list(_left_out(x, y, groups, seed)), dtype=torch.float64)
        error, bias, degrees = jackknife(value, left_out)
        if to_infinity:
            notes.append(f"{value:.4g} before the bias of finitely many images was taken off")
            value -= bias
        elif not few:
            notes.append(f"finitely many images add about {bias:.2g}")
        low, high = student_interval(value, error, degrees)
        interval, kind = (low if to_infinity else max(low, 0.0), high), f"95%, jackknife over {groups} groups"
    infinity = "-infinity" if to_infinity else ""
    return Measure(
        features.space.metric(f"FID{infinity}", f"frechet-distance{infinity}"),
        value,
        interval=interval,
        interval_kind=kind,
        notes=tuple(notes),
        **about,
    )


def _left_out(x: Tensor, y: Tensor, groups: int, seed: int) -> Iterator[float]:
    """The distance without one random group of both sets, for each group in turn."""
    generator = torch.Generator().manual_seed(seed)
    parts_x, parts_y = (torch.randperm(len(z), generator=generator).tensor_split(groups) for z in (x, y))
    if min(len(x), len(y)) * (groups - 1) > groups * x.shape[1]:
        for a, b in zip(_moments_without(x, parts_x), _moments_without(y, parts_y), strict=True):
            yield frechet_gaussians(a, b)
        return
    for part_x, part_y in zip(parts_x, parts_y, strict=True):
        yield frechet_samples(_without(x, part_x), _without(y, part_y))


def _without(x: Tensor, part: Tensor) -> Tensor:
    kept = torch.ones(len(x), dtype=torch.bool)
    kept[part] = False
    return x[kept]


def _moments_without(x: Tensor, parts: tuple[Tensor, ...]) -> Iterator[Moments]:
    """Moments of all rows but those of one part: the whole's, less the part's share."""
    whole = Moments.of(x)
    scatter = whole.cov * (len(x) - 1)
    for part in parts:
        deviation, left = x[part].double() - whole.mean, len(x) - len(part)
        shift = -deviation.sum(0) / left
        rest = scatter - deviation.T @ deviation - left * torch.outer(shift, shift)
        yield Moments(whole.mean + shift, rest / (left - 1))
