"""docs/images/metrics.png: precision and recall of points in a plane."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from trained import IMAGES

from unveil.metrics import Features, FeatureSpace, precision_recall

generator = torch.Generator().manual_seed(3)
centres = torch.tensor([[0.0, 0.0], [3.0, 0.6], [1.4, 2.6]])
real = (centres[:, None] + 0.42 * torch.randn(3, 18, 2, generator=generator)).flatten(0, 1)
fake = (centres[:2, None] + 0.42 * torch.randn(2, 27, 2, generator=generator)).flatten(0, 1)
space = FeatureSpace("plane", lambda x: x)
precision, recall = precision_recall(Features(fake, space, "generated", "-"), Features(real, space, "test", "-"))

figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.8), dpi=110, layout="constrained")
for panel, members, points, title in (
    (axes[0], real, fake, f"precision {precision.value:.2f}: samples in balls of real points"),
    (axes[1], fake, real, f"recall {recall.value:.2f}: real points in balls of samples"),
):
    distances = torch.cdist(members, members).fill_diagonal_(torch.inf)
    colour, other = ("C0", "C1") if members is real else ("C1", "C0")
    for centre, radius in zip(members.tolist(), distances.kthvalue(3).values.tolist(), strict=True):
        panel.add_patch(plt.Circle(centre, radius, color=colour, alpha=0.09, lw=0))
    panel.scatter(*members.T, s=10, color=colour, label="real" if members is real else "samples")
    panel.scatter(*points.T, s=14, color=other, marker="x", lw=1, label="samples" if members is real else "real")
    panel.set(title=title, aspect="equal", xticks=[], yticks=[])
    panel.title.set_fontsize(9)
    panel.legend(fontsize=8, frameon=False)
    panel.spines[:].set_visible(False)
figure.savefig(IMAGES / "metrics.png")
