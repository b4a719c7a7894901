"""Train a small model of handwritten digits, and draw sixteen of them.

    python examples/01_first_samples.py

The data comes with scikit-learn. 600 steps take about a minute; the 2,000 of the recipe give better digits. Running this
again goes on from what is there. UNVEIL_QUICK=1 takes a few steps only, to see that all is well.
"""

import os

import unveil

QUICK = bool(os.environ.get("UNVEIL_QUICK"))

# A recipe says what the model is, what it learns from and for how long; any value of it can be changed.
run = unveil.train(
    "digits-ddpm",
    out="runs/examples-digits",
    steps=4 if QUICK else 600,
    resume=True,
    overrides=["training.lr=2e-3", "training.ema=0.99", "model.labels=true"],
)

# (16, 1, 8, 8) in [-1, 1]. Sample i of a seed is the same picture, whatever the batch size.
images = unveil.sample(run, 16, steps=5 if QUICK else 50, label=range(10))
unveil.save_images(images, "digits.png", columns=8, force=True, metadata={"recipe": run.recipe.name, "seed": 0})
print(f"The run is in {run.path}, sixteen digits are in digits.png")
