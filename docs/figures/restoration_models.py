"""docs/images/restoration-models.png: digits as they are restored in four steps, and more samples."""

import torch
from trained import as_published, save, smooth

import unveil

COLUMNS = 16

run = as_published("digits-rgm-d")
path = run.model.sample(COLUMNS, generator=unveil.Streams(0, COLUMNS), path=True).cpu()
more = unveil.sample(run, 4 * COLUMNS, seed=1)
gap = torch.ones(COLUMNS, *path.shape[2:])  # a row of white between the two
save(smooth(torch.cat([path.flatten(0, 1), gap, more]), 5), "restoration-models.png", columns=COLUMNS, scale=1)
