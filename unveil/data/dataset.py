"""Images from any source, as batches in [-1, 1] that are fetched by index."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from unveil.core.random import Randomness, Streams, rand
from unveil.data.framing import Frame
from unveil.data.places import Index, checked_places
from unveil.data.store import Pictures, digest


@dataclass(frozen=True, eq=False)
class Images:
    """Pictures that are fetched by index, all of one shape.

    With random crops of a few pictures there are more places than pictures: place i is a crop of picture i mod
    `pictures`, so that `len` is about a thousand at least.

    Attributes:
        name: a short name of the source.
        shape: (C, H, W) of each sample.
        pictures: how many pictures there are.
        classes: how many classes the source has, or None.
        class_names: what they are called, if anything says so.
        labels: the class of each picture, (pictures,) int64, or None.
        flip: whether samples are mirrored at random.
        skipped: files of the source (of all its parts) that cannot be read, and why.
        notes: sentences on what else a user should know.
        frame: how pictures were brought to their size.
        crops: how many places a picture takes.
        store: all pictures of the source, as numbers.
        rows: which of those these are.
        digests: what names the pixels of each picture of the store, if that is known already.
    """

    name: str
    shape: tuple[int, int, int]
    frame: Frame
    crops: int = 1
    flip: bool = False
    classes: int | None = None
    class_names: tuple[str, ...] | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    labels: Tensor | None = field(default=None, repr=False)
    store: Pictures = field(kw_only=True, repr=False)
    rows: np.ndarray = field(kw_only=True, repr=False)
    digests: Sequence[bytes] | None = field(default=None, kw_only=True, repr=False)

    def __len__(self) -> int:
        return len(self.rows) * self.crops

    @property
    def pictures(self) -> int:
        """How many pictures there are."""
        return len(self.rows)

    @property
    def levels(self) -> int | None:
        """How many evenly spaced values a pixel takes in [-1, 1]: 256 for 8 bits; None for real numbers."""
        return self.store.levels

    @cached_property
    def fingerprint(self) -> str:
        """Names what `batch` gives without a generator: equal pixels in equal order have equal fingerprints."""
        kept = [self.digests[row] if self.digests else digest(self.store[row]) for row in self.rows]
        labels = b"" if self.labels is None else self.labels.numpy()
        how = f"{self.shape} {self.levels} " + (f"{self.frame} {self.crops}" if self._cut else "")
        return digest(how, *kept, labels).hex()

    @property
    def _cut(self) -> bool:
        return self.frame.crop == "random"

    def batch(self, index: Index, generator: Randomness = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Fetch the samples of some indices: x (B, C, H, W), float32 in [-1, 1], and {"label": (B,)} or {}.

        A pure function of its arguments, which several threads may call. Crops and flips are drawn from `generator`,
        the same three numbers for each row. Without one nothing is flipped, a picture's first place is its centre, and
        its other places are crops that depend on the index alone.

        Raises:
            IndexError: an index is not in 0 .. len - 1.
        """
        places = checked_places(index, len(self), self.name)
        which = places % self.pictures
        rows = self.rows[which]
        chance = None
        if generator is not None and (self._cut or self.flip):
            device = generator.device if isinstance(generator, torch.Generator) else None
            chance = rand((len(places), 3), generator, device=device).cpu()
        if self._cut or self.store.block is None:
            x = torch.from_numpy(self._crops(rows, self._corners(places, chance)))
        else:
            x = torch.from_numpy(np.ascontiguousarray(self.store.block[rows]))
        if self.flip and chance is not None:
            mirrored = chance[:, 2] < 0.5
            x[mirrored] = x[mirrored].flip(-1)
        if self.levels is not None:
            x = x.float().div_((self.levels - 1) / 2).sub_(1)
        if x.shape[1] != self.shape[0]:
            x = x.repeat(1, self.shape[0], 1, 1)
        return x, {} if self.labels is None else {"label": self.labels[torch.from_numpy(which)]}

    def _corners(self, places: np.ndarray, chance: Tensor | None) -> np.ndarray | None:
        """Where crops begin, as shares in [0, 1) of the room there is, (B, 2); None for the centre."""
        if not self._cut:
            return None
        if chance is not None:
            return chance[:, :2].double().numpy()
        corners = Streams(0, places.tolist()).rand((len(places), 2), torch.float64).numpy()
        corners[places < self.pictures] = 0.5
        return corners

    def _crops(self, rows: np.ndarray, corners: np.ndarray | None) -> np.ndarray:
        channels, tall, wide = self.shape
        out = np.empty((len(rows), channels, tall, wide), self.store.pixels.dtype)
        for i, row in enumerate(rows.tolist()):
            picture = self.store[row]
            top = left = 0
            if corners is not None:
                room = picture.shape[1] - tall + 1, picture.shape[2] - wide + 1
                top, left = int(corners[i, 0] * room[0]), int(corners[i, 1] * room[1])
            out[i] = picture[:, top : top + tall, left : left + wide]  # a grey one fills all channels
        return out
