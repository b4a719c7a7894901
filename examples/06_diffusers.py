"""Hand a model to the diffusers library, and take it back.

    python examples/06_diffusers.py

Goes on with the run of 01_first_samples.py, and trains it first if it is not there. The part that opens the folder with
diffusers itself needs `pip install 'unveil[hub]'`.
"""

import os
from importlib.util import find_spec

import torch

import unveil

QUICK = bool(os.environ.get("UNVEIL_QUICK"))
STEPS = 3 if QUICK else 50
# Trained once, opened by the next example that asks for the same.
run = unveil.train(
    "digits-ddpm",
    out="runs/examples-digits",
    steps=4 if QUICK else 600,
    resume=True,
    overrides=["training.lr=2e-3", "training.ema=0.99", "model.labels=true"],
)

# Their pipeline knows no labels, so a model with labels is handed over as one that always draws a three.
folder = unveil.export(run, "digits-for-diffusers", label=3, force=True)
print("Exported:", sorted(str(file.relative_to(folder)) for file in folder.rglob("*.json")))

# A folder of diffusers is opened like a run.
back = unveil.load(folder)
ours = unveil.sample(run, 4, steps=STEPS, label=3)
theirs = unveil.sample(back, 4, steps=STEPS)
print(f"The same samples from both, up to {(ours - theirs).abs().max():.0e}")

if find_spec("diffusers"):
    from diffusers import DDPMPipeline

    pipeline = DDPMPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(
        batch_size=4, num_inference_steps=STEPS, generator=torch.Generator().manual_seed(0), output_type="np"
    )
    unveil.save_images(torch.from_numpy(made.images).permute(0, 3, 1, 2) * 2 - 1, "by-diffusers.png", force=True)
    print("Four threes drawn by diffusers are in by-diffusers.png")
