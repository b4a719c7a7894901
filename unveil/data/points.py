"""Points of the plane, drawn once from a mixture of Gaussians: data so small that a model can be seen whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.random import Randomness, Streams, rand, randn
from unveil.data.places import Index, checked_places
from unveil.data.sources import POINTS
from unveil.data.split import Split
from unveil.data.store import digest


@dataclass(frozen=True)
class Points:
    """A fixed set of points from Gaussians that stand evenly on a circle.

    Args:
        size: how many points; each Gaussian has as many, within one.
        modes: how many Gaussians.
        radius: of the circle; the first centre is (radius, 0).
        std: of each Gaussian in both directions.
        seed: names the set.

    Attributes:
        shape: of a sample, (2,).
        classes, class_names: None.
    """

    size: int = 4000
    modes: int = 8
    radius: float = 2.0
    std: float = 200**-0.5
    seed: int = 0

    shape = (2,)
    classes = None
    class_names = None

    def __post_init__(self) -> None:
        if self.size < 1 or self.modes < 1 or self.radius < 0 or self.std <= 0:
            raise ConfigError(
                f"Points got size={self.size}, modes={self.modes}, radius={self.radius}, std={self.std}; it needs size and "
                "modes of 1 or more, radius >= 0 and std > 0."
            )

    @property
    def name(self) -> str:
        """What the set is called."""
        return f"{self.modes}-gaussians"

    def __len__(self) -> int:
        return self.size

    @cached_property
    def centres(self) -> Tensor:
        """Where the Gaussians are, (modes, 2)."""
        angles = 2 * torch.pi * torch.arange(self.modes, dtype=torch.float64) / self.modes
        return (self.radius * torch.stack([angles.cos(), angles.sin()], dim=1)).float()

    def draw(self, n: int, generator: Randomness = None) -> Tensor:
        """Fresh points of the same distribution, (n, 2), each of a Gaussian at random."""
        modes = (rand((n,), generator, dtype=torch.float64) * self.modes).long()
        return self.centres[modes] + self.std * randn((n, 2), generator)

    @cached_property
    def points(self) -> Tensor:
        """All of the set, (size, 2), the Gaussians taking turns."""
        modes = torch.arange(self.size) % self.modes
        return self.centres[modes] + self.std * randn((self.size, 2), Streams(self.seed, self.size))

    @cached_property
    def fingerprint(self) -> str:
        """Names the numbers of the set."""
        return digest(self.points.numpy()).hex()

    def batch(self, index: Index, generator: Randomness = None) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The points of some indices, (B, 2) float32, and {}; nothing is random about them.

        Raises:
            IndexError: an index is not in 0 .. size - 1.
        """
        places = torch.from_numpy(checked_places(index, len(self), self.name))
        return self.points[places], {}


def open_points(name: str, *, split: Split = "train", limit: int | None = None) -> Points:
    """Open an embedded source of points by its name.

    Args:
        name: "eight-gaussians".
        split: "train", or "test", other points of the same Gaussians.
        limit: at most so many points.

    Raises:
        DataError: there is no such source.
        ConfigError: another split, or a limit below 1.
    """
    if name not in POINTS:
        raise DataError(f"There are no points called '{name}'; there are {', '.join(POINTS)}.")
    if split not in ("train", "test"):
        raise ConfigError(f"split {split!r}: points are drawn for training and for testing apart; take train or test.")
    return Points(Points.size if limit is None else min(limit, Points.size), seed=int(split == "test"))
