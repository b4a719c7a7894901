"""Which frames a model makes, which it may be told, and what it can do for having been told less in training."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.core.random import Randomness, rand

Task = Literal["predict", "past", "interpolate", "generate"]
TASKS: tuple[Task, ...] = ("predict", "past", "interpolate", "generate")
"""What a model may be able to do, by which of the frames around a block are known: past, future, both, none."""


@dataclass(frozen=True)
class Layout:
    """A block of k frames, between p frames of the past and f of the future.

    In training the past and the future of a clip are masked independently: all of a group, or nothing.

    Attributes:
        p: frames of the past, 0 or more.
        k: frames of a block, which are denoised together, 1 or more.
        f: frames of the future, 0 or more.
        mask_past: probability that the past is masked; of no meaning without a past.
        mask_future: probability that the future is masked.
        per_frame: share of the samples in which every frame is masked or not by itself, with probability a half, whatever
            becomes of its group. The network is then told for each frame whether it is masked, so any choice of frames may
            be known.
        levels: clips are trained whose frames are 1, k + 1, (k + 1)^2, ... apart, up to this power; the network is told.

    Raises:
        ConfigError: numbers out of range.
    """

    p: int
    k: int
    f: int
    mask_past: float = 0.5
    mask_future: float = 0.5
    per_frame: float = 0.0
    levels: int = 0

    def __post_init__(self) -> None:
        check_whole("k, the frames of a block,", self.k)
        for name, value in (
            ("p, the frames of the past,", self.p),
            ("f, those of the future,", self.f),
            ("levels", self.levels),
        ):
            check_whole(name, value, least=0)
        for name in ("mask_past", "mask_future", "per_frame"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it is a share, from 0 (never) to 1 (always).")

    @property
    def window(self) -> int:
        """Frames of a training clip, at their spacing."""
        return self.p + self.k + self.f

    @property
    def around(self) -> int:
        """Frames around a block."""
        return self.p + self.f

    @property
    def told(self) -> bool:
        """Whether the network is told which frames are masked."""
        return self.per_frame > 0 and self.around > 0

    def spacing(self, level: int) -> int:
        """Frames from one to the next at a level."""
        return (self.k + 1) ** level

    def level_of(self, stride: Tensor) -> Tensor:
        """The level of each of some spacings, which are whole numbers, (B,): `spacing` the other way round.

        Raises:
            ConfigError: one is not trained.
        """
        spacings = stride.new_tensor([self.spacing(level) for level in range(self.levels + 1)])
        found = stride[:, None] == spacings
        if not bool(found.any(1).all()):
            strange = stride[~found.any(1)][0].item()
            raise ConfigError(
                f"The frames of a training clip are {strange} apart; this model is trained on frames "
                f"{' or '.join(map(str, spacings.tolist()))} apart, so open the clips with stride={tuple(spacings.tolist())}."
            )
        return found.long().argmax(1)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """What a model trained so can do."""
        some = self.told
        hides_past = self.p == 0 or self.mask_past > 0 or some
        hides_future = self.f == 0 or self.mask_future > 0 or some
        shows_past = self.p > 0 and (self.mask_past < 1 or some)
        shows_future = self.f > 0 and (self.mask_future < 1 or some)
        able = {
            "predict": shows_past and hides_future,
            "past": hides_past and shows_future,
            "interpolate": shows_past and shows_future,
            "generate": hides_past and hides_future,
        }
        return tuple(task for task in TASKS if able[task])

    def check(self, task: Task) -> None:
        """Refuse what a model trained so cannot do.

        Raises:
            ConfigError: and what training would allow it.
        """
        if task in self.tasks:
            return
        without: dict[Task, tuple[str, str]] = {
            "predict": (
                "predict frames",
                "frames of the past (model.past), and model.mask_future=0.5 where it has a future",
            ),
            "past": (
                "recall the past",
                "frames of the future (model.future), and model.mask_past=0.5 where it has a past",
            ),
            "interpolate": ("interpolate", "frames of the past and of the future (model.past and model.future)"),
            "generate": ("generate from nothing", "model.mask_past=0.5 and model.mask_future=0.5"),
        }
        what, how = without[task]
        able = ", ".join(self.tasks) or "nothing"
        raise ConfigError(
            f"This model cannot {what}: it was never trained with the frames that are missing then (p={self.p}, k={self.k}, "
            f"f={self.f}, mask_past={self.mask_past}, mask_future={self.mask_future}). Train one with {how}; this one can do: "
            f"{able}."
        )

    def check_continues(self, n: int) -> None:
        """Refuse n frames from nothing where no second block can follow one that came from nothing."""
        if n <= self.k:
            return
        self.check("predict")
        if self.p > self.k and not self.told:
            raise ConfigError(
                f"{n} frames from nothing take more than one block of {self.k}, and a block is told {self.p} frames of the "
                f"past, of which the first makes only {self.k}. Ask for {self.k} frames, or train with per_frame above 0 or "
                "with a past no longer than a block."
            )

    def check_level(self, level: int) -> None:
        """Refuse a spacing that was not trained."""
        if not 0 <= level <= self.levels:
            raise ConfigError(
                f"Level {level} of the spacing was asked for; this model was trained on 0 to {self.levels}."
            )

    def check_long(self, levels: int) -> None:
        """Refuse a long video of so many levels, where the model was trained at one spacing or is told too much."""
        if not 1 <= levels <= self.levels:
            raise ConfigError(
                f"A long video at {levels} levels was asked for, and this model was trained on {self.levels}; train one with "
                "model.levels=1 or more, or predict block after block."
            )
        self.check("interpolate")
        if (self.p, self.f) != (1, 1) and not self.told:
            raise ConfigError(
                "Between two frames that are far apart a block knows one frame on either side, and this model is told "
                f"{self.p} and {self.f}. Train one with a past and a future of 1, or with per_frame above 0."
            )

    def draw_keeps(self, n: int, generator: Randomness = None) -> Tensor:
        """Which of the frames around the blocks of n samples are kept, (n, p + f), 1 or 0 in float32."""
        groups = rand((n, 2), generator)
        shares = torch.tensor([self.mask_past, self.mask_future], device=groups.device)
        kept = (groups >= shares).repeat_interleave(torch.tensor([self.p, self.f], device=groups.device), dim=1)
        if self.told:
            chance = rand((n, 1 + self.around), generator)
            kept = torch.where(chance[:, :1] < self.per_frame, chance[:, 1:] < 0.5, kept)
        return kept.float()
