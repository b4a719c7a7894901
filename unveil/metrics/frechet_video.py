"""The Frechet distance between sets of clips: FVD with I3D, and the same under another name with features of our own."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from unveil.core.errors import ShapeError
from unveil.metrics.feature_space import FeatureSpace
from unveil.metrics.features import Features, extract_features
from unveil.metrics.frechet_distance import frechet_distance
from unveil.metrics.intervals import mean_interval
from unveil.metrics.measure import Measure
from unveil.networks.clip_features import RandomClipFeatures, load_i3d

_I3D = "i3d@"


def random_clip_space(seed: int = 0) -> FeatureSpace:
    """Features of clips that need no file: random filters of space and time, "random-conv3d@..."."""
    return FeatureSpace.of(RandomClipFeatures(seed), "random-conv3d")


def i3d_space(path: str | Path) -> FeatureSpace:
    """I3D from a user's TorchScript file, named after the file's digest.

    Raises:
        DataError: it cannot be read.
    """
    network, digest = load_i3d(path)
    return FeatureSpace(f"{_I3D}{digest[:8]}", network, digest=digest)


def frechet_video_distance(features: Features, reference: Features, *, groups: int = 10, seed: int = 0) -> Measure:
    """Measure how far apart two sets of clips are; `frechet_distance` tells of the arguments.

    Returns:
        "FVD[i3d@...]" with features of I3D, "frechet-video-distance[SPACE]" with any others. The number depends on how
        many clips there are and on how many frames they have, so only numbers of the same counts may be compared.
    """
    measure = frechet_distance(features, reference, groups=groups, seed=seed)
    published = features.space.name.startswith(_I3D)
    return replace(measure, name=f"{'FVD' if published else 'frechet-video-distance'}[{features.space.name}]")


def measure_frechet(
    made: Tensor,
    truth: Tensor,
    space: FeatureSpace,
    *,
    known: Tensor | None = None,
    split: str,
    preprocessing: str = "",
    batch_size: int = 16,
) -> dict[str, Measure]:
    """Measure made clips against true ones, all trajectories at once and one trajectory after another.

    Args:
        made: (B, n, T, C, H, W) in [-1, 1].
        truth: (B', T, C, H, W) in [-1, 1]; as many clips as are there, not only those that were continued.
        space: features of clips.
        known: frames that were given, (B, p, C, H, W), which are put before what was made and before the true clips, of
            which there must be B then. Where frames were given after what was made, put the clips together yourself.
        split: which clips are the true ones.
        preprocessing: what else is to be known, for the record.
        batch_size: clips at a time.

    Returns:
        "all": n B made clips against B' true ones; and, where n > 1, "each": the mean over trajectories of B against B',
        with its interval.

    Raises:
        ShapeError: the shapes do not fit each other.
    """
    if made.ndim != 6 or truth.ndim != 5 or made.shape[3:] != truth.shape[2:]:
        raise ShapeError(
            f"Made clips of shape {tuple(made.shape)} were given with true ones of {tuple(truth.shape)}; they must be "
            "(B, n, T, C, H, W) and (B', T, C, H, W)."
        )
    if known is not None:
        if len(known) != len(made) or len(known) != len(truth) or known.shape[2:] != truth.shape[2:]:
            raise ShapeError(
                f"Known frames of shape {tuple(known.shape)} do not fit made clips of {tuple(made.shape)} and true ones of "
                f"{tuple(truth.shape)}; they must be (B, p, C, H, W), one row for each of both."
            )
        made = torch.cat([known[:, None].expand(-1, made.shape[1], -1, -1, -1, -1), made], 2)
        truth = torch.cat([known, truth], 1)
    told = ", ".join(part for part in (preprocessing, f"{truth.shape[1]} frames") if part)

    def seen(clips: Tensor, which: str) -> Features:
        return extract_features(space, clips, split=which, preprocessing=told, batch_size=batch_size)

    reference = seen(truth, split)
    rows = [seen(made[:, i], "generated") for i in range(made.shape[1])]
    every = replace(rows[0], values=torch.cat([features.values for features in rows]))
    found = {"all": frechet_video_distance(every, reference)}
    if len(rows) > 1:
        each = [frechet_video_distance(features, reference, groups=0) for features in rows]
        values = torch.tensor([measure.value for measure in each], dtype=torch.float64)
        found["each"] = replace(
            each[0],
            value=values.mean().item(),
            interval=mean_interval(values),
            interval_kind=f"95% of the mean over {len(rows)} trajectories",
        )
    return found
