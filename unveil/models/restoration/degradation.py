"""Chains of degradations: level k hides an image behind y_k = alpha_k A_k x + std_k n, ever more of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.protocols import Operator
from unveil.core.random import Randomness, randn
from unveil.core.shapes import expand_as, mean_per_sample


@dataclass(frozen=True)
class Level:
    """One level: what is measured of an image, how strongly, and the white noise of the measurement.

    However small the measurement A x is, it is kept at the full size of the image, so that one network serves all levels.

    Attributes:
        operator: A; a shared one should be one object, for levels are computed together by operator.
        alpha: what A x is multiplied by.
        std: standard deviation of the noise of each measured number.
        lift: brings a measurement back to the image's size, linearly. None leaves measurements of that size as they are
            and takes the operator's pseudo-inverse for others, which for means over blocks repeats every pixel.
    """

    operator: Operator
    alpha: float
    std: float
    lift: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if not (isfinite(self.alpha) and isfinite(self.std) and self.alpha > 0 and self.std > 0):
            raise ConfigError(f"A level got alpha={self.alpha}, std={self.std}; both must be numbers above zero.")

    def lifted(self, measured: Tensor, shape: torch.Size) -> Tensor:
        """A measurement at the full size (B, ...) of the images, `shape`."""
        if self.lift is not None:
            return self.lift(measured)
        return measured if measured.shape == shape else self.operator.pinv(measured)

    def shown(self, x: Tensor) -> Tensor:
        """What the level leaves of images x, at their size and not scaled: (B, ...) -> (B, ...)."""
        return self.lifted(self.operator.forward(x), x.shape)

    @property
    def sigma(self) -> float:
        """The noise as it would be on the full-size image that is not scaled: std / (alpha |A|)."""
        return self.std / (self.alpha * self.operator.norm())


@dataclass(frozen=True)
class Degradation:
    """Levels 0 .. T of degradation, and the noise that generation begins with.

    Any operators may follow each other: level 0 should leave nearly everything, level T nearly nothing.

    Args:
        levels: T + 1 of them, T >= 1.
        start_std: generation starts from level T's lifted white noise of this standard deviation; None means that of
            level T. Take more where level T still shows much of an image.

    Source: Choi et al. (2023), arXiv:2303.05456, section 3.3 and table 5.
    """

    levels: Sequence[Level]
    start_std: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        if len(self.levels) < 2:
            raise ConfigError(
                f"A degradation got {len(self.levels)} levels; it needs level 0, the data, and at least one more."
            )
        if self.start_std is not None and not 0 < self.start_std < float("inf"):
            raise ConfigError(f"start_std={self.start_std}: the noise to start from must be a number above zero.")

    @property
    def steps(self) -> int:
        """T, how many times generation restores."""
        return len(self.levels) - 1

    @cached_property
    def alphas(self) -> Tensor:
        """alpha of each level, (T + 1,), float64."""
        return torch.tensor([level.alpha for level in self.levels], dtype=torch.float64)

    @cached_property
    def stds(self) -> Tensor:
        """The noise of each level, (T + 1,), float64."""
        return torch.tensor([level.std for level in self.levels], dtype=torch.float64)

    @cached_property
    def _groups(self) -> list[tuple[Level, Tensor]]:
        """Levels that measure alike: one of each kind, and which levels they are, (T + 1,) bool."""
        kinds: list[tuple[Level, list[bool]]] = []
        for k, level in enumerate(self.levels):
            same = [level.operator is kind.operator and level.lift is kind.lift for kind, _ in kinds]
            if not any(same):
                kinds.append((level, [False] * len(self.levels)))
                same.append(True)
            kinds[same.index(True)][1][k] = True
        return [(kind, torch.tensor(members)) for kind, members in kinds]

    def width(self, shape: Sequence[int]) -> int:
        """How many numbers of white noise a sample of a shape takes at most."""
        return max(self.measured_numbers(shape))

    def measured_numbers(self, shape: Sequence[int]) -> list[int]:
        """How many numbers each level measures of a sample of a shape.

        Raises:
            ShapeError: a level cannot measure such samples, or does not bring them back to their size.
        """
        x = torch.zeros(1, *shape)
        numbers = {}
        for kind, _ in self._groups:
            measured = kind.operator.forward(x)
            numbers[id(kind.operator)] = measured.numel()
            if (lifted := kind.lifted(measured, x.shape)).shape != x.shape:
                raise ShapeError(
                    f"A level measures samples of shape {tuple(shape)} as {tuple(measured.shape[1:])} and brings them back "
                    f"as {tuple(lifted.shape[1:])}; give that level a `lift` to {tuple(shape)}."
                )
        return [numbers[id(level.operator)] for level in self.levels]

    def observe(self, x: Tensor, k: Tensor | int, noise: Tensor | None = None, *, scale: float = 1.0) -> Tensor:
        """y_k of samples, at full size.

        Args:
            x: (B, ...).
            k: the level, or that of each sample, (B,) int64.
            noise: white numbers, (B, n) with n at least `width`; a level that measures fewer takes the first. Without them
                what comes out is the mean, alpha A x.
            scale: what the noise is multiplied by.

        Returns:
            (B, ...), of the shape of x.
        """
        if isinstance(k, int):
            level = self._level(k)
            return self._observed(level, x, level.alpha, level.std * scale, noise)
        alpha, std = (expand_as(table.to(x)[k], x) for table in (self.alphas, self.stds * scale))
        out: Tensor | None = None
        for (
            kind,
            members,
        ) in self._groups:  # all kinds for all samples: asking who needs which would wait for the device
            y = self._observed(kind, x, alpha, std, noise)
            out = y if out is None else torch.where(expand_as(members.to(k.device)[k], x), y, out)
        assert out is not None
        return out

    @staticmethod
    def _observed(level: Level, x: Tensor, alpha: Tensor | float, std: Tensor | float, noise: Tensor | None) -> Tensor:
        measured = level.operator.forward(x)
        mean = alpha * level.lifted(measured, x.shape)
        if noise is None:
            return mean
        numbers = noise[:, : measured[0].numel()].reshape(measured.shape)
        return mean + std * level.lifted(numbers, x.shape)

    def degrade(self, x: Tensor, k: Tensor | int, generator: Randomness = None, *, scale: float = 1.0) -> Tensor:
        """A fresh y_k of samples (B, ...), its noise multiplied by `scale`; see `observe`."""
        levels = [kind for kind, _ in self._groups] if isinstance(k, Tensor) else [self._level(k)]
        width = max(level.operator.forward(x[:1]).numel() for level in levels)
        noise = randn((len(x), width), generator, dtype=x.dtype, device=x.device)
        return self.observe(x, k, noise, scale=scale)

    def start(
        self,
        n: int,
        shape: Sequence[int],
        generator: Randomness = None,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Draw what generation begins with, (n, *shape)."""
        last = self.levels[-1]
        x = torch.zeros(n, *shape, dtype=dtype, device=device)
        measured = last.operator.forward(x)
        std = last.std if self.start_std is None else self.start_std
        return std * last.lifted(randn(measured.shape, generator, dtype=x.dtype, device=device), x.shape)

    def misfit(self, x_hat: Tensor, y: Tensor, k: Tensor | int) -> Tensor:
        """|alpha A x_hat - y|^2 / (2 std^2), averaged over the numbers of the full-size sample, (B,).

        Where x_hat is the truth this is 1/2 on average, at every level whose lift repeats what it measured.
        """
        residual = self.observe(x_hat, k) - y
        std = self.stds.to(x_hat)[k]
        return 0.5 * mean_per_sample((residual / expand_as(std, x_hat)).square())

    def _level(self, k: int) -> Level:
        if not 0 <= k <= self.steps:
            raise ConfigError(f"This degradation has levels 0 to {self.steps}; it was asked for level {k}.")
        return self.levels[k]
