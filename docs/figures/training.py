"""docs/images/training.png: the loss of a run, and what it drew on its way."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from trained import IMAGES, RUNS, SHORT, smooth

from unveil.core.random import Streams
from unveil.data import grid
from unveil.recipes import resolve
from unveil.recipes.build import build_data, build_model
from unveil.training.hooks import Moment
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit

STEPS = (50, 200, 500, 1500)

recipe = resolve("digits-ddpm", [*SHORT, "training.steps=1500"])
images = build_data(recipe)
model = build_model(recipe, images.shape, images.classes)
sheets = {}


def draw(moment: Moment) -> None:
    if moment.step in STEPS:
        with moment.averaged():
            x = model.sample(10, sampler="ancestral", generator=Streams(2, 10), label=torch.arange(10))
            sheets[moment.step] = smooth(x, 6)


run = RunFolder.create(RUNS / "figures-training", "made by docs/figures/training.py", force=True)
fit(model, images, 1500, recipe.training.options(), run=run, hooks=[draw])
log = run.read_log()
figure, axes = plt.subplots(5, 1, figsize=(7, 5.2), dpi=110, layout="constrained", height_ratios=[3, 1, 1, 1, 1])
axes[0].plot([line["step"] for line in log], [line["loss"] for line in log], lw=1)
axes[0].set(yscale="log", xlabel="step", ylabel="loss", xlim=(0, 1500))
axes[0].spines[["top", "right"]].set_visible(False)
for below, (step, sheet) in zip(axes[1:], sheets.items(), strict=True):
    below.imshow(grid(sheet, columns=10, scale=1)[0], cmap="gray", vmin=0, vmax=255)
    below.set(xticks=[], yticks=[], ylabel=f"{step}")
    below.spines[:].set_visible(False)
figure.savefig(IMAGES / "training.png")
