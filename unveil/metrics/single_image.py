"""How samples of a model of one image compare with it: by the statistics of their patches, and with each other."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from unveil.core.errors import DataError, ShapeError
from unveil.divergences.frechet import frechet_samples
from unveil.metrics.feature_space import FeatureSpace
from unveil.metrics.features import round_to_levels
from unveil.metrics.intervals import jackknife, student_interval
from unveil.metrics.measure import Measure
from unveil.networks.inception import load_inception

_GROUPS = 10


class _Patches(nn.Module):
    """Fixed random convolutions: what they see at each place says little of things, but much of colours and textures."""

    SEES = 17

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 5), nn.ReLU(), nn.Conv2d(32, 48, 5, stride=2), nn.ReLU(), nn.Conv2d(48, 64, 5, stride=2)
        )
        generator = torch.Generator().manual_seed(0)
        for weight in self.parameters():
            if weight.ndim == 1:
                nn.init.zeros_(weight)
            else:
                nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [-1, 1] -> (B, 64, H', W')."""
        if min(x.shape[2:]) < self.SEES:
            raise ShapeError(
                f"Patches of {self.SEES} pixels a side are compared; an image of {x.shape[3]} x {x.shape[2]} is too small."
            )
        return self.layers(x.expand(-1, 3, -1, -1))


def patch_space(inception: str | Path | None = None) -> FeatureSpace:
    """A space in which patches are compared: each place of an image has a row of features there.

    Args:
        inception: a file with the published Inception weights, whose numbers are called SIFID; without one the space of
            fixed random convolutions, whose numbers are called SIFID-random and compare with no published ones.

    Raises:
        DataError: the file cannot be read.
    """
    if inception is None:
        return FeatureSpace("random", _Patches().eval())
    network = load_inception(inception)
    return replace(FeatureSpace.of(network, "inception", weights=inception), network=network.patches)


@torch.no_grad()
def single_image_distance(samples: Tensor, image: Tensor, space: FeatureSpace | None = None) -> Tensor:
    """The Frechet distance of each sample's patches from those of an image, (n,), float64; 0 for the image itself.

    Both are rounded to 8 bits, and neither is resized.

    Args:
        samples: (n, C, H, W) in [-1, 1].
        image: (C, H', W'), of another size if need be.
        space: from `patch_space`; that of random convolutions when None.

    Raises:
        ShapeError: not images, or too small ones.

    Source: Shaham et al. (2019), arXiv:1905.01164, section 3.
    """
    space = space or patch_space()
    _check(samples, image)
    of_image = _places(space, image[None])
    distances = [frechet_samples(_places(space, sample[None]), of_image) for sample in samples]
    return torch.tensor(distances, dtype=torch.float64)


def measure_single_image_distance(
    samples: Tensor, image: Tensor, space: FeatureSpace | None = None, *, split: str = "generated"
) -> Measure:
    """Average `single_image_distance` over samples, (n, C, H, W); the median is told too: few bad ones can move the mean.

    Returns:
        "SIFID" with the published Inception weights, "SIFID-random" with random convolutions.
    """
    space = space or patch_space()
    values = single_image_distance(samples, image, space)
    measure = Measure.mean(
        "SIFID" if space.published else f"SIFID-{space.name}",
        values,
        split=split,
        preprocessing=f"{'x'.join(map(str, samples.shape[1:]))}, rounded to 256 levels in [-1, 1], not resized",
        notes=[f"median {values.median():.4g}", f"largest {values.max():.4g}"],
    )
    return replace(measure, reference_count=1, reference_split="image")


def diversity(samples: Tensor, image: Tensor) -> float:
    """How much samples differ: the spread of each pixel's grey value over them, averaged over pixels.

    It is divided by the spread of grey values within the image; 0 for samples that are all the same.

    Args:
        samples: (n, C, H, W) in [-1, 1], n >= 2.
        image: (C, H', W').

    Raises:
        ShapeError: not images, or fewer than two samples.
        DataError: the image has one grey value alone.

    Source: Shaham et al. (2019), arXiv:1905.01164, section 3.
    """
    _check(samples, image)
    if len(samples) < 2:
        raise ShapeError("Diversity is measured on two samples or more.")
    spread = image.double().mean(0).std(correction=0)
    if not spread > 0:
        raise DataError("The image has one grey value alone, so nothing can be as diverse as it is.")
    return float(samples.double().mean(1).std(0, correction=0).mean() / spread)


def measure_diversity(samples: Tensor, image: Tensor, *, split: str = "generated") -> Measure:
    """Measure `diversity` of samples, (n, C, H, W), with an interval from leaving groups of them out."""
    value, interval, groups = diversity(samples, image), None, min(_GROUPS, len(samples) // 2)
    if groups >= 2:
        parts = torch.arange(len(samples)) % groups
        left_out = torch.tensor([diversity(samples[parts != k], image) for k in range(groups)], dtype=torch.float64)
        error, _, degrees = jackknife(value, left_out)
        low, high = student_interval(value, error, degrees)
        interval = max(low, 0.0), high
    return Measure(
        "diversity",
        value,
        len(samples),
        split,
        "grey values: mean of the channels",
        interval,
        f"95%, jackknife over {groups} groups" if interval else "",
        reference_count=1,
        reference_split="image",
        better="high",
        notes=("high without a low patch distance is noise",),
    )


def _places(space: FeatureSpace, x: Tensor) -> Tensor:
    """The features of all places of one image (1, C, H, W), as rows."""
    found = space.network(round_to_levels(x, 256))
    if not isinstance(found, Tensor) or found.ndim != 4:
        raise ShapeError(
            f"A space of patches gives (1, F, H, W) for an image, and {space.name} does not; take patch_space()."
        )
    return found.flatten(2)[0].T.double()


def _check(samples: Tensor, image: Tensor) -> None:
    fits = samples.ndim == 4 and image.ndim == 3 and len(samples) > 0 and samples.shape[1] == image.shape[0]
    if not fits or image.shape[0] not in (1, 3):
        raise ShapeError(
            f"Samples are (n, C, H, W) and the image they are compared with (C, H, W); they have shape "
            f"{tuple(samples.shape)} and {tuple(image.shape)}."
        )
