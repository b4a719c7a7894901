"""Train a model of your own pictures.

    python examples/02_own_pictures.py my_pictures/

Without a folder some photographs that come with scikit-image are cut into one first. To be done in a minute or so this
learns pictures of 16 x 16 pixels, for a few hundred steps: colours, edges and textures come, things do not. The recipe's
own 10,000 steps of 32 x 32 pixels give more.
"""

import os
import sys
from pathlib import Path

import unveil

QUICK = bool(os.environ.get("UNVEIL_QUICK"))

if len(sys.argv) > 1:
    folder = Path(sys.argv[1])
else:
    folder = Path("photographs")
    if not folder.exists():
        crops, _ = unveil.open_images("photos", size=64).batch(range(200))
        unveil.save_images(crops, folder)

# Opening a source decodes every picture once; files that cannot be read are named, not stumbled over later.
images = unveil.open_images(folder, size=16, channels=3)
print(f"{len(images)} training pictures of {images.shape}, {len(images.skipped)} could not be read")

run = unveil.train(
    "photos-diffusion",
    data=folder,
    out="runs/examples-own-pictures",
    steps=2 if QUICK else 600,
    force=True,
    overrides=[
        "data.size=16", "training.batch_size=32", "training.lr=2e-3", "training.warmup=20", "training.decay=cosine",
        "training.ema=0.99", "training.sample_every=0",
    ],
)  # fmt: skip
unveil.save_images(unveil.sample(run, 4 if QUICK else 16, steps=2 if QUICK else 25), "own-pictures.png", force=True)
print("Samples are in own-pictures.png. For better ones: unveil train photos-diffusion --data", folder)
