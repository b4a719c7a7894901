"""Draw digits of chosen classes, and follow the class more and more closely.

    python examples/07_classes_and_guidance.py

Goes on with the run of 01_first_samples.py, and trains it first if it is not there.
"""

import os

import torch

import unveil

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
for guidance in (0, 1, 2, 4):  # 0 does not follow the class at all, 1 is as trained
    x = unveil.sample(run, 10, steps=3 if QUICK else 50, label=range(10), guidance=guidance, sampler="ancestral")
    rows.append(x)
unveil.save_images(torch.cat(rows), "guidance.png", columns=10, force=True)
print("Rows of guidance 0, 1, 2 and 4, columns of classes 0 to 9, are in guidance.png")

# Start from a real picture instead of noise: what is coarse survives, what is fine is made anew.
real, known = unveil.open_images("digits", split="test").batch(range(10))
labels = known["label"].tolist()  # without them the samples would take the classes in turn
walk = {"steps": 3 if QUICK else 20, "label": labels, "image": real}
again = [unveil.sample(run, 10, start=start, **walk) for start in (0.2, 0.4, 0.6)]
unveil.save_images(torch.cat([real, *again]), "again.png", columns=10, force=True)
print("Real digits, and what becomes of them from t = 0.2, 0.4 and 0.6, are in again.png")
