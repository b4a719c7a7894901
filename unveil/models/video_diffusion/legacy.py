"""What the authors' released code does after the last step, kept to reproduce published numbers."""

from typing import Any

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.models.diffusion import Diffusion
from unveil.models.video_diffusion.told import Told
from unveil.schedules.grids import times_of


@torch.no_grad()
def denoise_once_more(
    diffusion: Diffusion, net: Told, x: Tensor, *, steps: int = 50, clip: bool = True, **_: Any
) -> Tensor:
    """Denoise frames that hold no noise any more, once more, as if they were very noisy.

    The chain has arrived at data, yet the network is asked again. The released code numbers the steps from noise to data, and
    says S - 1 for S steps where it means the last, which is step L - S + 1 of L; then sigma of the first step visited,
    0.0435 for 100 steps of 1000, times the network's noise is taken away.

    Args:
        diffusion: of blocks, under a schedule of discrete steps.
        net: its network, told the known frames.
        x: (B, channels, H, W).
        steps: S.
        clip: keep the result in [-1, 1].

    Raises:
        ConfigError: the schedule has no steps.
    """
    length: int | None = getattr(diffusion.schedule, "steps", None)
    if length is None:
        raise ConfigError(
            "legacy_final_denoise reproduces a chain of discrete steps; this model's schedule is continuous."
        )
    sigma = diffusion.schedule(times_of(diffusion.schedule, steps)[-2])[1]
    t = torch.tensor((length - steps + 1) / length, dtype=torch.float64)
    alpha, scale = diffusion.schedule(t)
    n_hat = (x - alpha * diffusion.denoise(x, t, net=net)) / scale
    x = x - sigma.to(x) * n_hat.to(x)
    return x.clamp(-1, 1) if clip else x
