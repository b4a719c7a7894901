"""Train a model of your own pictures.

    python examples/02_own_pictures.py my_pictures/

Without a folder some photographs that come with scikit-image are cut into one first. A minute of training gives colours
and blurs; the recipe's own 20,000 steps give more.
"""

import os
import sys
from pathlib import Path

import unveil

QUICK = bool(os.environ.get("UNVEIL_QUICK"))

if len(sys.argv) > 1:
    folder = Path(sys.argv[1])
else:
    folder = Path("my_pictures")
    photographs = unveil.open_images("photos", size=64)  # random crops of photographs
    crops, _ = photographs.batch(range(60))
    unveil.save_images(crops, folder, force=True)

# Opening a source decodes every picture once; files that cannot be read are named, not stumbled over later.
images = unveil.open_images(folder, size=32, channels=3)
print(f"{len(images)} training pictures of {images.shape}, {len(images.skipped)} could not be read")

run = unveil.train(
    "photos-diffusion",
    data=folder,
    out="runs/examples-own-pictures",
    steps=2 if QUICK else 150,
    force=True,
    overrides=["training.lr=1e-3", "training.ema=0.98", "training.sample_every=0", "training.batch_size=32"],
)
unveil.save_images(unveil.sample(run, 4 if QUICK else 16, steps=2 if QUICK else 25), "own-pictures.png", force=True)
print("Samples are in own-pictures.png. For better ones: unveil train photos-diffusion --data", folder)
