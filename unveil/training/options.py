"""How to train: plain values, checked when they are given. Nothing here imports torch."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import Any, Literal, get_args

from unveil.core.errors import ConfigError

Decay = Literal["constant", "linear", "cosine"]
Precision = Literal["fp32", "bf16", "fp16"]
ClipMode = Literal["together", "normalise"]

PER_PLAYER = ("lr", "warmup", "decay", "betas", "weight_decay", "clip", "clip_mode", "ema")
"""The options that a player may have of its own."""

_WITHOUT_EFFECT = ("compile", "log_every", "save_every", "sample_every", "keep")


@dataclass(frozen=True)
class Options:
    """How to train, for every stage and player alike unless `players` says otherwise.

    Attributes:
        batch_size: samples per step, over all processes and all parts of an accumulated step.
        lr: learning rate of AdamW, at its highest.
        warmup: steps in which the rate rises linearly to `lr`.
        decay: how the rate goes to zero from there to the end of the stage: not at all, "linear" or "cosine".
        betas: AdamW's memories of the gradient and of its square.
        weight_decay: share of each weight, times the learning rate, that a step takes away; 0 makes AdamW plain Adam.
        clip: largest norm of a player's gradient, over all of its parameters together; 0 leaves gradients alone.
        clip_mode: "together" for that; "normalise" gives the gradient of each parameter the norm `clip`, were it larger or
            smaller before.
        ema: weight of the past in the moving average of the weights; 0 keeps no average.
        precision: "fp32", or mixed precision in "bf16" or "fp16".
        compile: compile the networks with torch.compile: minutes at the start, a little for every step.
        channels_last: keep images and convolutions in channels-last memory.
        accumulate: parts in which a step's batch is computed, one after another, to save memory.
        seed: names the order of the data and every random number.
        log_every: steps between log lines, each the mean of what happened since the one before.
        save_every: steps between checkpoints; 0 keeps only those at the end of a stage and at an interruption.
        sample_every: steps between sample pictures; 0 makes none. The trainer leaves this to its hooks.
        keep: how many of the newest checkpoints stay on disk.
        players: options of single players, e.g. {"energy": {"lr": 1e-4, "ema": 0}}; see `PER_PLAYER`.

    Raises:
        ConfigError: a value is outside of what is accepted.
    """

    batch_size: int = 64
    lr: float = 2e-4
    warmup: int = 0
    decay: Decay = "constant"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip: float = 1.0
    clip_mode: ClipMode = "together"
    ema: float = 0.9999
    precision: Precision = "fp32"
    compile: bool = False
    channels_last: bool = False
    accumulate: int = 1
    seed: int = 0
    log_every: int = 50
    save_every: int = 1000
    sample_every: int = 1000
    keep: int = 2
    players: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        for name in ("batch_size", "accumulate", "log_every", "keep"):
            self._whole(name, least=1)
        for name in ("warmup", "save_every", "sample_every", "seed"):
            self._whole(name, least=0)
        if self.seed >= 2**63:
            raise ConfigError(f"seed={self.seed} is too large; a seed is a whole number from 0 to 2^63 - 1.")
        if self.batch_size % self.accumulate:
            raise ConfigError(
                f"batch_size={self.batch_size} cannot be computed in accumulate={self.accumulate} equal parts; "
                "batch_size must be a multiple of accumulate."
            )
        self._number("lr", lambda lr: lr > 0, "a number above 0")
        self._number("weight_decay", lambda decay: decay >= 0, "0 or more")
        self._number("clip", lambda clip: clip >= 0, "0 (no clipping) or more")
        self._number("ema", lambda ema: 0 <= ema < 1, "a number from 0 (no average) up to, but below, 1")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas={self.betas}: two numbers are needed, each from 0 up to, but below, 1.")
        self._one_of("decay", get_args(Decay))
        self._one_of("clip_mode", get_args(ClipMode))
        self._one_of("precision", get_args(Precision))
        for player in self.players:
            self.of(player)

    def _whole(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"{name}={value!r}: it must be a whole number, {least} or more.")

    def _number(self, name: str, fits: Callable[[float], bool], accepted: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not fits(value):
            raise ConfigError(f"{name}={value!r}: it must be {accepted}.")

    def _one_of(self, name: str, accepted: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in accepted:
            raise ConfigError(f"{name}={value!r}: it must be one of {', '.join(accepted)}.")

    def of(self, player: str) -> "Options":
        """Give the options of one player: these, with what is said for it alone."""
        own = self.players.get(player, {})
        unknown = [name for name in own if name not in PER_PLAYER]
        if unknown:
            raise ConfigError(
                f"players.{player}.{unknown[0]}: no such option for a single player; those are {', '.join(PER_PLAYER)}."
            )
        try:
            return replace(self, players={}, **own)
        except ConfigError as error:
            raise ConfigError(f"players.{player}: {error}") from None

    def record(self) -> dict[str, Any]:
        """Give what the trained weights depend on, as JSON can hold it; runs that differ here differ in result."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _WITHOUT_EFFECT}
        if self.clip_mode == "together":  # runs from before there was a choice are the same
            del values["clip_mode"]
        values["players"] = {name: dict(own) for name, own in self.players.items()}
        return json.loads(json.dumps(values))
