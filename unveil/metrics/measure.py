"""A measured number together with what it takes to believe it."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.metrics.intervals import mean_interval

Interval = tuple[float, float]


@dataclass(frozen=True)
class Measure:
    """A metric is never a bare number.

    Attributes:
        name: what was measured, and in which feature space: "psnr", "frechet-distance[digits-classifier@1a2b3c4d]".
        value: the number.
        count: how many samples it was measured on.
        split: where they come from: "test", "generated".
        preprocessing: what was done to them before: "1x28x28, rounded to 8 bits".
        interval: where the number would fall for other samples of the same kind, or None where that is not known.
        interval_kind: how the interval was found: "95%, jackknife over 10 groups".
        reference_count: how many samples it was measured against; 0 where there is no second set.
        reference_split: where those come from.
        unit: "dB", "bits/dim", or nothing.
        better: whether a good model has a low or a high value.
        notes: what else a reader must know to compare it with another number.
    """

    name: str
    value: float
    count: int
    split: str
    preprocessing: str
    interval: Interval | None = None
    interval_kind: str = ""
    reference_count: int = 0
    reference_split: str = ""
    unit: str = ""
    better: Literal["low", "high"] = "low"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 1 or not self.split or not self.preprocessing:
            raise ConfigError(
                f"The measure {self.name!r} got count={self.count}, split={self.split!r}, "
                f"preprocessing={self.preprocessing!r}; a number means nothing without these, so give all three."
            )

    @classmethod
    def mean(
        cls,
        name: str,
        values: Tensor,
        *,
        split: str,
        preprocessing: str,
        unit: str = "",
        better: Literal["low", "high"] = "low",
        notes: Iterable[str] = (),
    ) -> "Measure":
        """Average one value per sample (n,), with Student's interval of the mean.

        Raises:
            ConfigError: there are no values.
        """
        interval = mean_interval(values)
        return cls(
            name,
            values.double().mean().item() if len(values) else float("nan"),
            len(values),
            split,
            preprocessing,
            interval,
            "95% of the mean over samples" if interval else "",
            unit=unit,
            better=better,
            notes=tuple(notes),
        )

    def differences(self, other: "Measure") -> list[str]:
        """Name what keeps this number from being compared with another; nothing when it is a fair comparison."""
        return [
            f"{what}: {mine} and {theirs}"
            for what, mine, theirs in (
                ("metric", self.name, other.name),
                ("samples", self.count, other.count),
                ("reference samples", self.reference_count, other.reference_count),
                ("reference split", self.reference_split, other.reference_split),
                ("preprocessing", self.preprocessing, other.preprocessing),
            )
            if mine != theirs
        ]

    def beats(self, other: "Measure") -> bool:
        """Tell whether this is the better number, for measures that may be compared.

        Raises:
            ConfigError: they differ in metric, counts, reference or preprocessing, and so measure different things.
        """
        if reasons := self.differences(other):
            raise ConfigError(f"These measures cannot be compared; they differ in {'; '.join(reasons)}.")
        return self.value < other.value if self.better == "low" else self.value > other.value

    def __str__(self) -> str:
        number = f"{_short(self.value)} {self.unit}".strip()
        parts = [f"{self.name} = {number}"]
        if self.interval is not None:
            low, high = (_short(end) for end in self.interval)
            parts[0] += f" ({low} to {high}: {self.interval_kind})"
        samples = f"{self.count:,} {self.split}"
        if self.reference_count:
            samples += f" against {self.reference_count:,} {self.reference_split}"
        return "; ".join([*parts, samples, self.preprocessing, f"{self.better} is good", *self.notes])


def _short(value: float) -> str:
    return f"{value:.4g}" if not isfinite(value) or abs(value) < 1000 else f"{value:.1f}"
