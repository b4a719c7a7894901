"""The chain of noise levels that a network was trained on, as a scheduler's configuration."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError

Predict = Literal["eps", "x", "v"]
"""What a network may predict: the noise, the picture, or alpha noise - sigma picture."""

_PREDICT: dict[Predict, str] = {"eps": "epsilon", "x": "sample", "v": "v_prediction"}


def our_chain(config: Mapping[str, Any]) -> tuple[Predict, Tensor]:
    """What a network predicts, and beta_1 .. beta_L in float64, from a scheduler's configuration.

    Raises:
        ConfigError: the chain cannot be told, or has no counterpart here.
    """
    spoken = {name: predict for predict, name in _PREDICT.items()}
    predict = config.get("prediction_type", "epsilon")
    if predict not in spoken:
        raise ConfigError(f"The scheduler has prediction_type={predict!r}; {', '.join(spoken)} can be read.")
    if str(config.get("variance_type", "")).startswith("learned"):
        raise ConfigError("The network has learned its variance too, which has no counterpart here.")
    if config.get("rescale_betas_zero_snr"):
        raise ConfigError("The scheduler has rescale_betas_zero_snr: at its last step no signal is left to divide by.")
    return spoken[predict], _betas(config)


def _betas(config: Mapping[str, Any]) -> Tensor:
    """beta_1 .. beta_L of a scheduler."""
    if config.get("trained_betas") is not None:
        return torch.tensor(config["trained_betas"], dtype=torch.float64)
    kind = config.get("beta_schedule")
    steps = config.get("num_train_timesteps", 1000)
    low, high = config.get("beta_start", 1e-4), config.get("beta_end", 0.02)
    if kind == "linear":
        return torch.linspace(low, high, steps, dtype=torch.float64)
    if kind == "scaled_linear":
        return torch.linspace(low**0.5, high**0.5, steps, dtype=torch.float64) ** 2
    if kind == "sigmoid":
        return torch.linspace(-6, 6, steps, dtype=torch.float64).sigmoid() * (high - low) + low
    if kind == "squaredcos_cap_v2":
        signal = ((torch.linspace(0, 1, steps + 1, dtype=torch.float64) + 0.008) / 1.008 * torch.pi / 2).cos() ** 2
        return (1 - signal[1:] / signal[:-1]).clamp(max=0.999)
    raise ConfigError(
        f"The scheduler has beta_schedule={kind!r}; linear, scaled_linear, sigmoid and squaredcos_cap_v2 can be read."
    )


def their_scheduler(betas: Tensor, predict: Predict, clip: bool) -> dict[str, Any]:
    """The configuration of a `DDPMScheduler`; evenly spaced betas are named by their ends.

    Raises:
        ConfigError: there is no word for what the network predicts.
    """
    if predict not in _PREDICT:
        raise ConfigError(f"diffusers has no word for predict={predict!r}; it knows {', '.join(_PREDICT)}.")
    betas = betas.detach().cpu().double()
    low, high = betas[0].item(), betas[-1].item()
    even = bool(torch.allclose(betas, torch.linspace(low, high, len(betas), dtype=torch.float64), rtol=1e-6, atol=0))
    return {
        "_class_name": "DDPMScheduler",
        "_diffusers_version": "0.35.0",
        "num_train_timesteps": len(betas),
        "beta_schedule": "linear",
        "beta_start": low,
        "beta_end": high,
        "trained_betas": None if even else betas.tolist(),
        "prediction_type": _PREDICT[predict],
        "variance_type": "fixed_small",
        "clip_sample": clip,
    }
