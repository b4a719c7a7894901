"""Poses that are drawn as they are asked for: training data that needs no files and has no end."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unveil.body.joints import GENDERS, JOINTS
from unveil.body.random_poses import random_bodies
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness, Streams
from unveil.data.places import Index, checked_places
from unveil.data.store import digest

TRAINING, TESTING = 1_000_000, 10_000
"""How many poses there are."""
_VERSION = 1  # of the generator: what it draws has changed when this does


@dataclass(frozen=True)
class RandomPoses:
    """Walks, key poses and all between, within the limits of the joints, each of a body of its own.

    Pose i is a function of the seed and of i alone: those of training and of testing have seeds of their own.

    Args:
        count: how many poses there are.
        seed: names them.
        genders: of the bodies.

    Attributes:
        shape: of a sample, (24, 3, 3).
        classes, class_names: None.
    """

    count: int = TRAINING
    seed: int = 0
    genders: tuple[str, ...] = GENDERS

    shape = (len(JOINTS), 3, 3)
    classes = None
    class_names = None
    name = "motions"
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_whole("count", self.count)

    def __len__(self) -> int:
        return self.count

    @property
    def fingerprint(self) -> str:
        """Names what `batch` gives."""
        return digest(f"{_VERSION} {self.count} {self.seed} {self.genders}").hex()

    def batch(self, index: Index, generator: Randomness = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Poses of some indices: local rotations (B, 24, 3, 3), and {"shape": (B, 10), "gender": (B,)}; nothing is random.

        Raises:
            IndexError: an index is not in 0 .. count - 1.
        """
        places = checked_places(index, len(self), self.name)
        drawn = random_bodies(len(places), Streams(self.seed, places.tolist()))
        own = torch.tensor([GENDERS.index(name) for name in self.genders])
        return drawn.pose, {"shape": drawn.shape, "gender": own[drawn.gender % len(own)]}
