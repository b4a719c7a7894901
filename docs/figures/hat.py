"""docs/images/hat.png: what each part of a Hat Diffusion EBM makes of the same latents, side by side, of points and of digits.

python docs/figures/hat.py [POINTS DIGITS], runs of the recipes toy-hat and digits-hat as they are.
"""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from trained import IMAGES, as_published, smooth

import unveil
from unveil.data.points import Points
from unveil.tasks.sample import STAGES

SIDE, DOTS = 7, 1000
TITLES = {
    "proposal": "proposed",
    "kernel": "moved by the kernel",
    "one": "refined, stage one",
    "two": "refined, stage two",
}

points, digits = map(unveil.load, sys.argv[1:]) if sys.argv[1:] else map(as_published, ("toy-hat", "digits-hat"))
figure, panels = plt.subplots(2, len(STAGES), figsize=(10, 5.3), dpi=80, layout="constrained")
real = Points().points[:DOTS]
for column, stage in enumerate(STAGES):
    dots = unveil.sample(points, DOTS, stage=stage, batch=DOTS)
    panels[0, column].scatter(*real.T, s=3, color="0.8", linewidths=0)
    panels[0, column].scatter(*dots.T, s=1.5, color="C0", linewidths=0)
    panels[0, column].set(xlim=(-2.9, 2.9), ylim=(-2.9, 2.9), aspect="equal", title=TITLES[stage])
    pictures = F.pad(smooth(unveil.sample(digits, SIDE**2, stage=stage)), (2, 2, 2, 2), value=1.0)
    rows = [torch.cat(list(row), 2) for row in pictures.split(SIDE)]
    panels[1, column].imshow(torch.cat(rows, 1)[0], cmap="gray", vmin=-1, vmax=1)
for panel in panels.flat:
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set_visible(False)
figure.savefig(IMAGES / "hat.png")
