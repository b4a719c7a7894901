"""The models whose samples the pictures show. They are trained when they are first needed and kept in runs/."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

import unveil

torch.set_num_threads(1)  # on pictures this small several threads only wait for each other

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "images"
RUNS = HERE.parents[1] / "runs"
SHORT = ["model.labels=true", "model.stratified=true", "training.lr=2e-3", "training.decay=cosine", "training.ema=0.99",
         "training.log_every=10", "training.sample_every=0"]  # fmt: skip


def with_labels(recipe: str = "digits-ddpm") -> unveil.Run:
    """A recipe for digits with labels, 1,500 steps: two minutes on one core."""
    return unveil.train(recipe, out=RUNS / f"figures-{recipe}", resume=True, steps=1500, overrides=SHORT)


def as_published(recipe: str = "digits-ddpm") -> unveil.Run:
    """A recipe as it is."""
    return unveil.train(recipe, out=RUNS / recipe, resume=True)


def smooth(x: Tensor, scale: int = 8) -> Tensor:
    """Small pictures, enlarged without edges between their pixels."""
    return F.interpolate(x, scale_factor=scale, mode="bicubic").clamp(-1, 1)


def save(x: Tensor, name: str, **options) -> None:
    """A sheet of pictures among those of the documentation."""
    unveil.save_images(x, IMAGES / name, force=True, **options)
