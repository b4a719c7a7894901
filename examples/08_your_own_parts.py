"""A diffusion from parts of one's own, trained without a recipe: points on a spiral, drawn as tiny pictures.

    python examples/08_your_own_parts.py

A network is any module, data is anything with `batch`, a covariance anything with its methods. A "picture" here is two
numbers, (1, 1, 2): a point in the plane.
"""

import os

import torch
from torch import nn

import unveil
from unveil.schedules import LinearVP
from unveil.training.options import Options
from unveil.training.trainer import fit

QUICK = bool(os.environ.get("UNVEIL_QUICK"))


class Spiral:
    """4,000 points; `batch` is all that the trainer asks of data."""

    def __init__(self) -> None:
        angle = 3 * torch.pi * torch.rand(4000, generator=torch.Generator().manual_seed(0)).sqrt()
        self.points = torch.stack([angle * angle.cos(), angle * angle.sin()], -1).reshape(-1, 1, 1, 2) / 10

    def __len__(self) -> int:
        return len(self.points)

    def batch(self, index, generator=None):
        return self.points[torch.as_tensor(index)], {}


class Net(nn.Module):
    """(x_t, t) -> eps, from the point, the time and waves of both."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.first, self.middle = nn.Linear(3 * 9, width), nn.Linear(width, width)
        self.after, self.last = nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, x, t):
        known = torch.cat([x.flatten(1), t[:, None]], 1)
        waves = [f(k * known) for k in (1, 2, 4, 8) for f in (torch.sin, torch.cos)]
        h = nn.functional.silu(self.first(torch.cat([known, *waves], 1)))
        h = nn.functional.silu(self.middle(h))
        return self.last(nn.functional.silu(self.after(h))).reshape(x.shape)


model = unveil.Diffusion(Net(), LinearVP(), (1, 1, 2), stratified=True)
fit(model, Spiral(), 20 if QUICK else 4000, Options(batch_size=256, lr=2e-3, decay="cosine", ema=0.99))
points = model.sample(1000, steps=100 if not QUICK else 5, generator=unveil.Streams(0, 1000)).flatten(1)
nearest = torch.cdist(points, Spiral().points.flatten(1)).min(1).values
print(f"A sample lies {nearest.median():.3f} from the spiral (median of 1,000 samples; the spiral is about 2 wide)")
plane = torch.histogramdd(points, bins=[48, 48], range=[-1.0, 1.0, -1.0, 1.0]).hist
unveil.save_images(plane.clamp(max=3)[None] / 1.5 - 1, "spiral.png", scale=6, force=True)
print("The samples are drawn in spiral.png")
