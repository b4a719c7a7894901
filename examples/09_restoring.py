"""Something was done to a picture, and a model knows what pictures look like: bring it back.

A small denoiser of photographs is the prior of every problem here: noise, holes, blur, fewer pixels. Trained for some
minutes (`unveil train photos-denoiser`) it does well; for a first look some seconds are enough.
"""

import os

import unveil
from unveil.tasks.pictures import side_by_side

steps = 5 if os.environ.get("UNVEIL_QUICK") else 300
run = unveil.train(
    "photos-denoiser", out="runs/quick-denoiser", steps=steps, resume=True, overrides=["model.network.blocks=1"]
)

photos = unveil.open_images("photos", size=(128, 192), channels=3)
photo = photos.batch([0])[0][0]  # (3, 128, 192) in [-1, 1]

for name, operator in {
    "noise": "noise:25/255",
    "holes": "mask:0.5",
    "blur": "blur:gaussian:1.6,noise:2/255",
    "small": "downsample:2",
}.items():
    found = unveil.restore(run, photo, operator, degrade=True)
    print(f"{name}: {found.psnr[1]:.1f} dB before, {found.psnr[0]:.1f} dB after")
    unveil.save_images(side_by_side(found.panels), f"restored-{name}.png", force=True)
