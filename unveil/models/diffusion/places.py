"""What a network is told of a time, and the coefficients there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unveil.core.protocols import Schedule
from unveil.core.shapes import expand_as
from unveil.models.diffusion.prediction import Condition, Scale


class Place(NamedTuple):
    """What belongs to a time.

    Attributes:
        told: what the network is told of it, (B,), on its device.
        kind: the type the network computes in; a solver may carry its state in double precision around it.
        alpha: scale of the data.
        sigma: scale of the noise.
        gain: what the network's input is multiplied by; None leaves it as it is.
        steering: what the network has made of the time already.
    """

    told: Tensor
    kind: torch.dtype
    alpha: Scale
    sigma: Scale
    gain: Scale | None = None
    steering: Tensor | None = None


@dataclass(frozen=True)
class Places:
    """Finds the place of a time.

    Attributes:
        schedule: t -> (alpha, sigma).
        condition: what the network is told: "time", "log-sigma" or "none".
        sigma_data: spread of the data where the network's input is scaled, else None.
        first_index: the index by which the network knows a chain's first step.
    """

    schedule: Schedule
    condition: Condition
    sigma_data: float | None
    first_index: int

    def of(self, t: Tensor, x: Tensor, kind: torch.dtype) -> Place:
        """What belongs to a time () of all samples of x, or to times (B,) of each."""
        if t.ndim == 0:
            return self.table(t[None], x, kind)[float(t)]
        # Copies that wait for nothing, where x is on another device than the times.
        told, alpha, sigma, gain = self._coefficients(t, self.schedule)
        scales: list[Any] = [
            None if c is None else expand_as(c.to(x.device, x.dtype, non_blocking=True), x)
            for c in (alpha, sigma, gain)
        ]
        return Place(told.to(x.device, _precise(kind), non_blocking=True), kind, *scales)

    def table(
        self,
        times: Tensor,
        x: Tensor,
        kind: torch.dtype,
        schedule: Schedule | None = None,
        steering: Callable[[Tensor], Tensor] | None = None,
    ) -> dict[float, Place]:
        """What belongs to each of many times, all of them single; scalars stay on the CPU, and wait for no device.

        Args:
            times: (S,).
            x: what has the shape, type and device of the states.
            kind: the type the network computes in.
            schedule: gives the values of the model's own, faster.
            steering: what the network makes of times, (S,) -> (S, n), for all of them at once.
        """
        told, alpha, sigma, gain = self._coefficients(times, schedule or self.schedule)
        told = told.to(x.device, _precise(kind), non_blocking=True)
        rows = told[:, None].expand(-1, x.shape[0]).contiguous().unbind()
        gains = gain.unbind() if gain is not None else [None] * len(rows)
        made = steering(told).split(1) if steering is not None else [None] * len(rows)
        found = zip(times.tolist(), rows, alpha.unbind(), sigma.unbind(), gains, made, strict=True)
        return {time: Place(row, kind, *numbers) for time, row, *numbers in found}

    def _coefficients(self, t: Tensor, schedule: Schedule) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """What the network is told of times t; alpha and sigma there; the gain of its input; all of the shape of t."""
        alpha, sigma = schedule(t)
        match self.condition:
            case "time":
                length = getattr(self.schedule, "steps", None)
                told = t - (1 - self.first_index) / length if length and self.first_index != 1 else t
            case "log-sigma":
                told = sigma.log()
            case "none":
                told = torch.zeros_like(t)
        spread = self.sigma_data
        return told, alpha, sigma, None if spread is None else (alpha**2 * spread**2 + sigma**2) ** -0.5


def harmonic_sigma(schedule: Schedule) -> float:
    """The harmonic mean of the noise of a schedule's steps, or of a thousand times."""
    length = getattr(schedule, "steps", None) or 1000
    _, sigma = schedule(torch.arange(1, length + 1, dtype=torch.float64) / length)
    return float(1 / (1 / sigma).mean())


def _precise(kind: torch.dtype) -> torch.dtype:
    """The type of the times a network is told: half precision cannot tell a thousand of them apart."""
    return torch.promote_types(kind, torch.float32)
