"""Walk one model with every sampler, from the same noise, and time them.

    python examples/04_samplers.py

Goes on with the run of 01_first_samples.py, and trains it first if it is not there.
"""

import os
import time

import torch

import unveil
from unveil.models.diffusion import SAMPLERS

QUICK = bool(os.environ.get("UNVEIL_QUICK"))
# Trained once, opened by the next example that asks for the same.
run = unveil.train(
    "digits-ddpm",
    out="runs/examples-digits",
    steps=4 if QUICK else 600,
    resume=True,
    overrides=["training.lr=2e-3", "training.ema=0.99", "model.labels=true"],
)

rows = []
for name in SAMPLERS:
    options = {"rtol": 0.1, "atol": 0.1} if QUICK and name == "rk45" else {}
    began = time.perf_counter()
    x = unveil.sample(run, 12, sampler=name, steps=4 if QUICK else 50, seed=1, **options)
    print(f"{name:<20} {time.perf_counter() - began:.2f} s for 12 digits in {4 if QUICK else 50} steps")
    rows.append(x)
unveil.save_images(torch.cat(rows), "samplers.png", columns=12, force=True)
print(
    "A row of digits for each is in samplers.png. ddim, euler, heun and rk45 follow one flow, and agree but where a model so"
)
print("hardly trained leads the last three astray: ddim clips its estimates. The others renew their noise on the way.")
