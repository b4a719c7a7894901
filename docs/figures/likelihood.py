"""docs/images/likelihood.png: bits per dimension of digits, and of pictures that are nearly digits."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from trained import IMAGES, with_labels

import unveil
from unveil import Streams
from unveil.data import dequantise

N = 64
torch.manual_seed(0)

run = with_labels()
images = unveil.open_images("digits", split="test")
x, _ = images.batch(range(N))
order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
kinds = {
    "digits": x,
    "mirrored": x.flip(-1),
    "on their side": x.rot90(1, (-2, -1)),
    "pixels shuffled": x.flatten(1)[:, order].reshape(x.shape),
}
figure, axes = plt.subplots(figsize=(7, 2.8), dpi=110, layout="constrained")
for i, (name, pictures) in enumerate(kinds.items()):
    found = run.model.log_likelihood(
        dequantise(pictures, Streams(0, N), levels=images.levels), trace="hutchinson", probes=4, generator=Streams(1, N)
    )
    bits = found.bits_per_dim(levels=images.levels)
    print(name, float(bits.mean()), float(bits.min()), float(bits.max()))
    axes.scatter(bits, i + 0.25 * (torch.rand(N) - 0.5), s=9, alpha=0.6, color=f"C{i}")
    axes.plot([bits.mean()] * 2, [i - 0.3, i + 0.3], color=f"C{i}", lw=2)
axes.set(yticks=range(len(kinds)), yticklabels=list(kinds), xlabel="bits per dimension (lines: means)")
axes.invert_yaxis()
axes.spines[["top", "right"]].set_visible(False)
figure.savefig(IMAGES / "likelihood.png")
