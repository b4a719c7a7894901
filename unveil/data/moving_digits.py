"""Digits that fly about a dark square and leave its walls in directions of chance: clips that need no download.

Source: Denton and Fergus (2018), Stochastic video generation with a learned prior, arXiv:1802.07687, section 5.1, after
Srivastava et al. (2015), arXiv:1502.04681.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness, Streams
from unveil.data.images import open_images
from unveil.data.places import Index, checked_places
from unveil.data.split import Split
from unveil.data.store import digest

Walls = Literal["chance", "mirror"]

SIZE = 64
"""The canvas, in pixels a side, when nobody asks for another."""
TRAINING, TESTING = 100_000, 10_000
"""How many clips there are."""
_EDGE, _CONTRAST = 0.45, 2.2
"""Where a stroke that was enlarged from a few pixels ends, and how much steeper its edge is made."""
_DRAWS = 4  # numbers that a digit uses in a frame, at most: two velocities at each of the two walls it may meet


class Flight(NamedTuple):
    """Where digits are.

    Attributes:
        sprite: which picture each is, (B, digits).
        position: the top left corner, (B, T, digits, 2), rows before columns, in pixels.
        velocity: with which each leaves a frame, (B, T, digits, 2), in pixels a frame.
        bounced: whether it met a wall of that axis there, (B, T, digits, 2).
    """

    sprite: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    bounced: np.ndarray


@dataclass(frozen=True, eq=False)
class MovingDigits:
    """Clips of sprites that fly straight on until they meet a wall.

    Clip i is a function of the seed and of i alone, and with fewer frames it is the beginning of the longer one. A sprite's
    corner stays in 0 .. M - 1 in both directions, M = canvas - side of the sprite. It begins anywhere, with a velocity of
    -speed .. speed in each direction, and where it would leave the canvas it is put back to the wall; then, if walls are
    chance, both of its velocities are drawn anew, the one across the wall from those that lead away from it; otherwise that
    one is turned round. Sprites that overlap add up, to white at most.

    Args:
        sprites: (n, d, d) uint8.
        size: the canvas, in pixels a side.
        frames: how many a clip has.
        digits: how many sprites fly.
        speed: the largest velocity, pixels a frame.
        stochastic: whether walls are chance.
        strides: every how many frames one is shown; of several one is drawn for each clip.
        count: how many clips there are.
        seed: names them.
        channels: 1, or 3 that are equal.
        name: of the source.
    """

    sprites: np.ndarray = field(repr=False)
    size: int = SIZE
    frames: int = 20
    digits: int = 2
    speed: int = 4
    stochastic: bool = True
    strides: tuple[int, ...] = (1,)
    count: int = TRAINING
    seed: int = 0
    channels: int = 1
    name: str = "moving-digits"

    classes = None
    class_names = None
    levels = 256
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option in ("size", "frames", "digits", "speed", "count"):
            check_whole(option, getattr(self, option))
        shape = self.sprites.shape
        if self.sprites.ndim != 3 or not len(self.sprites) or shape[1] != shape[2] or self.sprites.dtype != np.uint8:
            raise DataError(f"Sprites are {self.sprites.dtype} of shape {shape}; give uint8 of shape (n, d, d), n > 0.")
        if self.room < 2:
            raise ConfigError(
                f"Sprites of {shape[1]} pixels have no room to fly on a canvas of {self.size}; it needs {shape[1] + 2} or more."
            )
        if self.speed >= self.room:
            raise ConfigError(
                f"A speed of {self.speed} leads across the {self.room} places of a sprite; give a smaller one."
            )

    def __len__(self) -> int:
        return self.count

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, C, H, W) of each clip."""
        return self.frames, self.channels, self.size, self.size

    @property
    def room(self) -> int:
        """How many places a corner can have in each direction."""
        return self.size - self.sprites.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """Names what `batch` gives."""
        how = (self.shape, self.digits, self.speed, self.stochastic, self.strides, self.count, self.seed)
        return digest(str(how), self.sprites).hex()

    def fly(self, index: Sequence[int], frames: int | None = None) -> Flight:
        """Where the sprites of some clips are in each of their first frames."""
        count, frames = len(index), self.frames if frames is None else frames
        streams = Streams(self.seed, [int(i) for i in index])
        begin = streams.rand((count, self.digits, 5), torch.float64).numpy()
        chance = streams.rand((count, frames, self.digits, _DRAWS), torch.float64).numpy()
        sprite = (begin[..., 0] * len(self.sprites)).astype(np.int64)
        place = (begin[..., 1:3] * self.room).astype(np.int64)
        velocity = (begin[..., 3:] * (2 * self.speed + 1)).astype(np.int64) - self.speed
        places = np.empty((count, frames, self.digits, 2), np.int64)
        velocities, bounced = np.empty_like(places), np.empty(places.shape, bool)
        for t in range(frames):
            for axis in (0, 1):
                below, above = place[..., axis] < 0, place[..., axis] >= self.room
                met = below | above
                if self.stochastic:
                    across, along = (chance[:, t, :, 2 * axis + k] for k in (0, 1))
                    away = 1 + (across * self.speed).astype(np.int64)
                    velocity[..., axis] = np.where(met, np.where(below, away, -away), velocity[..., axis])
                    any_way = (along * (2 * self.speed + 1)).astype(np.int64) - self.speed
                    velocity[..., 1 - axis] = np.where(met, any_way, velocity[..., 1 - axis])
                else:
                    velocity[..., axis] = np.where(met, -velocity[..., axis], velocity[..., axis])
                place[..., axis] = place[..., axis].clip(0, self.room - 1)
                bounced[:, t, :, axis] = met
            places[:, t], velocities[:, t] = place, velocity
            place = place + velocity
        return Flight(sprite, places, velocities, bounced)

    def batch(self, index: Index, generator: Randomness = None) -> tuple[Tensor, dict[str, Tensor]]:
        """The clips of some indices: x (B, T, C, H, W) in [-1, 1], and {}; where there are several strides {"stride":
        (B,)}, in units of the smallest.

        Only which of several strides a clip has is drawn from `generator`; without one the index decides.

        Raises:
            IndexError: an index is not in 0 .. count - 1.
        """
        places = checked_places(index, len(self), self.name)
        strides = np.full(len(places), self.strides[0])
        if len(self.strides) > 1:
            streams = Streams.of(generator, len(places)) if generator is not None else Streams(0, places.tolist())
            drawn = streams.rand((len(places),), torch.float64).numpy()
            strides = np.array(self.strides)[(drawn * len(self.strides)).astype(int)]
        flight = self.fly(places.tolist(), (self.frames - 1) * max(self.strides) + 1)
        rows = np.arange(len(places))[:, None]
        shown = flight.position[rows, strides[:, None] * np.arange(self.frames)]  # (B, T, digits, 2)
        x = torch.from_numpy(self._drawn(flight.sprite, shown)).float().div_(127.5).sub_(1)
        cond = {"stride": torch.from_numpy(strides // min(self.strides))} if len(self.strides) > 1 else {}
        return x[:, :, None].repeat(1, 1, self.channels, 1, 1), cond

    def _drawn(self, sprite: np.ndarray, position: np.ndarray) -> np.ndarray:
        """The sprites at their places, (B, T, S, S) uint8."""
        count, frames = position.shape[:2]
        side = np.arange(self.sprites.shape[1])
        canvas = np.zeros((count, frames, self.size, self.size), np.uint16)
        clip, time = np.ogrid[:count, :frames]
        for digit in range(self.digits):
            rows, columns = (position[:, :, digit, axis, None] + side for axis in (0, 1))
            at = clip[..., None, None], time[..., None, None], rows[..., :, None], columns[..., None, :]
            canvas[at] += self.sprites[sprite[:, digit]][:, None]
        return np.minimum(canvas, 255).astype(np.uint8)


def digit_sprites(path: Path | None, side: int, split: Split = "train") -> np.ndarray:
    """Pictures of digits as sprites, (n, side, side) uint8.

    Args:
        path: MNIST's folder, or any grey pictures of one size; None for scikit-learn's digits of 8 x 8 pixels, enlarged
            and their strokes made sharp again.
        side: pixels a side; pictures are resampled linearly.
        split: those for training, for testing, or all.
    """
    images = open_images(path or "digits", channels=1, split=split, labels=False)
    if images.shape[1] != images.shape[2]:
        raise DataError(
            f"The pictures of '{images.name}' are {images.shape[1]}x{images.shape[2]}; sprites are squares."
        )
    sprites = []
    for start in range(0, len(images), 4096):
        x, _ = images.batch(range(start, min(start + 4096, len(images))))
        x = F.interpolate((x + 1) / 2, (side, side), mode="bilinear", antialias=side < x.shape[-1])
        if path is None:
            x = _CONTRAST * (x - _EDGE) + 0.5
        sprites.append((255 * x[:, 0]).round().clamp(0, 255).byte().numpy())
    return np.concatenate(sprites)


def open_moving_digits(
    path: Path | None,
    *,
    frames: int,
    size: tuple[int, int] | None,
    channels: int | None,
    strides: tuple[int, ...],
    split: Split,
    limit: int | None,
    digits: int,
    walls: Walls,
    unfit: Sequence[str],
) -> MovingDigits:
    """Open the embedded source: digits of half the canvas' side, a sixteenth of it a frame at most.

    Training and test clips show different digits and fly differently. The arguments are those of `open_videos`; `unfit` are
    the names of those given that have no meaning here.

    Raises:
        ConfigError: the canvas is no square or too small, another split, or an option that says nothing of digits.
    """
    if unfit:
        raise ConfigError(
            f"Moving digits are made at the size that is asked for, and {unfit[0]} has no meaning; leave it out."
        )
    if split == "all":
        raise ConfigError("Moving digits are made for training and for testing apart; take the split train or test.")
    if walls not in get_args(Walls):
        raise ConfigError(f"walls is {walls!r}; it can be chance or mirror.")
    tall, wide = size or (SIZE, SIZE)
    if tall != wide or tall < 8:
        raise ConfigError(f"Moving digits fly on a square of 8 pixels or more; the size {tall}x{wide} is none.")
    most = TRAINING if split == "train" else TESTING
    return MovingDigits(
        digit_sprites(path, tall // 2, split),
        tall,
        frames,
        digits=digits,
        stochastic=walls == "chance",
        speed=max(1, tall // 16),
        strides=strides,
        count=most if limit is None else min(limit, most),
        seed=int(split == "test"),
        channels=channels or 1,
    )
