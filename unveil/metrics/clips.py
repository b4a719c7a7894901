"""How near made clips come to the true ones: of several trajectories the best counts, by each metric for itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.metrics.measure import Measure
from unveil.metrics.ssim import ssim
from unveil.networks.perceptual import PerceptualDistance
from unveil.operators import LUMA

BETTER: Mapping[str, Literal["low", "high"]] = {"mse": "low", "psnr": "high", "ssim": "high", "lpips": "low"}
_LPIPS_SIDE = 128
_FRAMES = 64  # that LPIPS sees at a time


@dataclass(frozen=True)
class Trial:
    """What was done to make the clips that are measured: two numbers with different trials are not comparable.

    Attributes:
        task: "predict", "past", "interpolate", "generate".
        known: how many frames were given.
        made: how many were made for each clip.
        block: how many are made together.
        trajectories: how many times each clip was made.
        steps, sampler, seed: how the model was sampled.
    """

    task: str
    known: int
    made: int
    block: int
    trajectories: int = 1
    steps: int | None = None
    sampler: str = ""
    seed: int = 0

    def __str__(self) -> str:
        told = {name: value for name, value in asdict(self).items() if value not in (None, "") and name != "task"}
        return ", ".join([self.task, *(f"{name} {value}" for name, value in told.items())])


def frame_scores(
    made: Tensor, truth: Tensor, *, lpips: PerceptualDistance | None = None, binary: bool = False
) -> dict[str, Tensor]:
    """Compare every frame of every trajectory with the true one.

    Args:
        made: (B, n, T, C, H, W) in [-1, 1]: n trajectories of each clip; what leaves the range is clipped.
        truth: (B, T, C, H, W) in [-1, 1].
        lpips: compares frames of 128 x 128 pixels, where it is given.
        binary: for SSIM, which is easily upset by dark noise, pixels are rounded to black and white first.

    Returns:
        "mse" of pixels in [0, 1], "ssim" of frames that are turned to 8-bit grey (a Gaussian window of 11 pixels, places
        nearer than 5 to the border left out; without frames that large there is none), and "lpips", each (B, n, T),
        float64.

    Raises:
        ShapeError: the shapes do not fit each other.
    """
    if made.ndim != 6 or truth.ndim != 5 or made.shape[:1] + made.shape[2:] != truth.shape:
        raise ShapeError(
            f"Made clips of shape {tuple(made.shape)} were given with true ones of {tuple(truth.shape)}; they must be "
            "(B, n, T, C, H, W), n trajectories of each clip, and (B, T, C, H, W)."
        )
    if not made.numel():
        raise ShapeError(f"There is nothing to compare in clips of shape {tuple(made.shape)}.")
    found: dict[str, list[Tensor]] = {"mse": [], "ssim": [], "lpips": []}
    for clips, true in zip(made, truth, strict=True):
        x = clips.double().clamp(-1, 1).add(1).div(2)
        y = true.double().clamp(-1, 1).add(1).div(2).expand_as(x)
        found["mse"].append((x - y).square().mean((2, 3, 4)))
        if min(x.shape[-2:]) >= 11:
            found["ssim"].append(ssim(_grey(x, binary), _grey(y, binary), data_range=255))
        if lpips is not None:
            found["lpips"].append(_perceptual(lpips, x, y))
    return {name: torch.stack(values) for name, values in found.items() if values}


def clip_scores(scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """From scores of frames, (B, n, T), to those of clips, (B, n).

    The PSNR of a clip is 10 log10(1 / MSE) of all its pixels, which is below the mean of the PSNR of its frames unless all
    are alike; everything else is the mean over frames.
    """
    found = {name: values.mean(2) for name, values in scores.items()}
    return {"mse": found["mse"], "psnr": -10 * found["mse"].log10()} | found


def best_of(values: Tensor, better: Literal["low", "high"]) -> Tensor:
    """The best trajectory of each clip: (B, n) -> (B,)."""
    return values.amin(1) if better == "low" else values.amax(1)


def measure_clips(
    made: Tensor,
    truth: Tensor,
    trial: Trial,
    *,
    split: str,
    lpips: PerceptualDistance | None = None,
    binary: bool = False,
) -> dict[str, Measure]:
    """Measure made clips against the true ones: the best trajectory of each clip, and the mean over clips.

    Each metric takes its own best trajectory. Arguments as in `frame_scores`; LPIPS is there where its network is.

    Args:
        made: (B, n, T, C, H, W) in [-1, 1].
        truth: (B, T, C, H, W) in [-1, 1].
        trial: how they were made; its trajectories must be n.
        split: which clips these are.
        lpips: see `frame_scores`.
        binary: see `frame_scores`.

    Raises:
        ConfigError: the trial tells of other clips.
        ShapeError: the shapes do not fit each other.
    """
    scores = clip_scores(frame_scores(made, truth, lpips=lpips, binary=binary))
    count, frames = made.shape[1:3]
    if (trial.trajectories, trial.made) != (count, frames):
        raise ConfigError(
            f"The trial tells of {trial.trajectories} trajectories of {trial.made} frames, and there are {count} of {frames}."
        )
    shape = "x".join(map(str, truth.shape[2:]))
    notes = {
        "mse": ["pixels in [0, 1]"],
        "psnr": ["data range 1", "of the clip's mean error"],
        "ssim": ["8-bit grey" + (", black and white" if binary else ""), "gaussian window 11, sigma 1.5"],
        "lpips": [f"AlexNet, frames of {_LPIPS_SIDE} x {_LPIPS_SIDE}"],
    }
    return {
        name: Measure.mean(
            name,
            best_of(scores[name], BETTER[name]),
            split=split,
            preprocessing=f"{shape}, {trial}",
            unit="dB" if name == "psnr" else "",
            better=BETTER[name],
            notes=[f"best of {count}", *notes[name]] if count > 1 else notes[name],
        )
        for name in BETTER
        if name in scores
    }


def _grey(x: Tensor, binary: bool) -> Tensor:
    """Frames in [0, 1] as 8-bit grey, (..., 1, H, W)."""
    if x.shape[-3] == 3:
        x = (x * x.new_tensor(LUMA)[:, None, None]).sum(-3, keepdim=True)
    return (x.round() if binary else x).mul(255).round()


def _perceptual(network: PerceptualDistance, x: Tensor, y: Tensor) -> Tensor:
    """LPIPS of frames in [0, 1]: (n, T, C, H, W) -> (n, T)."""
    place = next(network.parameters()).device
    a, b = (
        F.interpolate(z.flatten(0, 1).float() * 2 - 1, (_LPIPS_SIDE, _LPIPS_SIDE), mode="bilinear", align_corners=False)
        for z in (x, y)
    )
    with torch.inference_mode():
        parts = [
            network(p.to(place), q.to(place)).cpu() for p, q in zip(a.split(_FRAMES), b.split(_FRAMES), strict=True)
        ]
    return torch.cat(parts).double().reshape(x.shape[:2])
