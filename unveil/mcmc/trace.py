"""What a chain felt on its way: the numbers by which its health is judged."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Trace:
    """Filled by a chain, one entry a step, each (B,). Hand a fresh one to each chain.

    Nothing is read from the device before it is asked for.

    Attributes:
        energy: before each step; empty where the chain was given gradients alone.
        gradient: root mean square of the energy's gradient.
        drift: length of the way that the gradient alone would go, before shortening.
        shortened: whether the drift was.
        accepted: whether the proposal was taken, for chains that may refuse.
    """

    energy: list[Tensor] = field(default_factory=list)
    gradient: list[Tensor] = field(default_factory=list)
    drift: list[Tensor] = field(default_factory=list)
    shortened: list[Tensor] = field(default_factory=list)
    accepted: list[Tensor] = field(default_factory=list)

    def felt(self, energy: Tensor | None, slope: Tensor, half_step: float, longest: float | None = None) -> None:
        """Note a step from its gradient; half of the step size is what the drift multiplies it by."""
        flat = slope.flatten(1) if slope.ndim > 1 else slope[:, None]
        length = torch.linalg.vector_norm(flat, dim=1)
        if energy is not None:
            self.energy.append(energy)
        self.gradient.append(length / flat.shape[1] ** 0.5)
        self.drift.append(length * half_step)
        if longest is not None:
            self.shortened.append(self.drift[-1] > longest)

    def summary(self) -> dict[str, float]:
        """Means over samples and steps.

        Returns:
            gradient_rms; drift; where they are known also energy_drift, the mean energy before the last step less that
            before the first, shortened and acceptance, both shares in [0, 1].
        """
        means = {
            "gradient_rms": self.gradient,
            "drift": self.drift,
            "shortened": self.shortened,
            "acceptance": self.accepted,
        }
        found = {name: float(torch.stack(seen).double().mean()) for name, seen in means.items() if seen}
        if self.energy:
            found["energy_drift"] = float((self.energy[-1] - self.energy[0]).double().mean())
        return found
