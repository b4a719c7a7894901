"""docs/images/codec-diffusion.png: clothes, what a codec makes of them, and samples of diffusions on its codes.

Needs the runs of fashion-codec-continuous and fashion-codec-categorical in runs/, and Fashion-MNIST: --data says where.
"""

import argparse

import torch
from trained import save

import unveil
from unveil.core.random import Streams
from unveil.tasks.run import load

COLUMNS = 14

arguments = argparse.ArgumentParser()
arguments.add_argument("--data", default="../shared/data/fashion-mnist")
arguments.add_argument("--runs", default="runs")
options = arguments.parse_args()

continuous, categorical = (
    load(f"{options.runs}/fashion-codec-{kind}", device="cpu").model for kind in ("continuous", "categorical")
)
real = unveil.open_images(options.data, split="test").batch(range(COLUMNS))[0]
rows = [real, continuous.decode(continuous.encode(real).long(), refine=False)]
codes = continuous.sample_codes(COLUMNS, steps=200, generator=Streams(0, COLUMNS))
rows += [continuous.decode(codes, refine=False), continuous.decode(codes)]
rows += [
    categorical.sample(COLUMNS, steps=200, temperature=temperature, generator=Streams(0, COLUMNS))
    for temperature in (0.0, 0.5, 1.0, 2.2)
]
save(torch.cat(rows), "codec-diffusion.png", columns=COLUMNS, scale=2)
