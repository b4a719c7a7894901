"""Ask a model how likely pictures are: digits, and the same digits turned, mirrored and shuffled.

    python examples/05_likelihood.py

Goes on with the run of 01_first_samples.py, and trains it first if it is not there.
"""

import os

import torch

import unveil
from unveil.data import dequantise

QUICK = bool(os.environ.get("UNVEIL_QUICK"))
# Trained once, opened by the next example that asks for the same.
run = unveil.train(
    "digits-ddpm",
    out="runs/examples-digits",
    steps=4 if QUICK else 600,
    resume=True,
    overrides=["training.lr=2e-3", "training.ema=0.99", "model.labels=true"],
)

images = unveil.open_images("digits", split="test")  # digits the model has not seen
x, _ = images.batch(range(2 if QUICK else 16))
order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
kinds = {
    "digits": x,
    "mirrored": x.flip(-1),
    "on their side": x.rot90(1, (-2, -1)),
    "pixels shuffled": x.flatten(1)[:, order].reshape(x.shape),
}

# Pixels are whole levels and have no density: each is spread over its level first.
tolerance = 0.1 if QUICK else 1e-3
for name, pictures in kinds.items():
    spread = dequantise(pictures, unveil.Streams(0, len(x)), levels=images.levels)
    found = run.model.log_likelihood(
        spread, trace="hutchinson", generator=unveil.Streams(1, len(x)), rtol=tolerance, atol=tolerance
    )
    bits = found.bits_per_dim(levels=images.levels)
    print(f"{name:<16} {bits.mean():.2f} bits/dim (from {bits.min():.2f} to {bits.max():.2f})")
print(f"guessing         {torch.tensor(float(images.levels)).log2():.2f}")
