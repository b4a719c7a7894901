"""docs/images/networks.png: the levels of a U-Net, drawn from the network itself."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from trained import IMAGES

import unveil

unet = unveil.UNet(3)
options = unet.options
figure, axes = plt.subplots(figsize=(8, 3.4), dpi=110, layout="constrained")
side = 32


def box(x, y, width, attends, label=""):
    face = "#c9ddf2" if not attends else "#f2d5b8"
    axes.add_patch(plt.Rectangle((x, y - 0.36), 0.5, 0.72, facecolor=face, edgecolor="#556", lw=0.8))
    axes.text(x + 0.25, y, str(width), ha="center", va="center", fontsize=7)


levels = list(enumerate(options["mult"]))
x, ends = 0.0, []
for level, m in levels:
    for _ in range(options["blocks"]):
        box(x, -level, m * options["channels"], level in options["attention"])
        x += 0.65
    ends.append(x - 0.15)
    axes.text(-0.35, -level, f"{side >> level} x {side >> level}", ha="right", va="center", fontsize=8)
bottom = -len(levels)
for attends in (True, False):
    box(x, bottom, levels[-1][1] * options["channels"], attends)
    x += 0.65
for level, m in reversed(levels):
    axes.annotate(
        "", (x - 0.1, -level), (ends[level], -level), arrowprops={"arrowstyle": "->", "color": "#999", "lw": 1}
    )
    for _ in range(options["blocks"] + 1):
        box(x, -level, m * options["channels"], level in options["attention"])
        x += 0.65
axes.text(-0.35, bottom, "middle", ha="right", va="center", fontsize=8)
axes.set(xlim=(-1.6, x + 0.2), ylim=(bottom - 0.6, 0.6))
axes.axis("off")
figure.savefig(IMAGES / "networks.png")
