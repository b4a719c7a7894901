"""docs/images/flows.png: digits halved and given their details back by a flow, and samples at three temperatures."""

import torch
from torch.nn.functional import avg_pool2d
from trained import as_published, save, smooth

import unveil

COLUMNS = 16

run = as_published("digits-mrcnf")
digits = unveil.open_images("digits", split="test").batch(range(COLUMNS))[0]
small = avg_pool2d(digits, 2)
rows = [digits, small.repeat_interleave(2, -1).repeat_interleave(2, -2)]
rows += [run.model.super_resolve(small, generator=unveil.Streams(seed, COLUMNS)) for seed in range(3)]
gap = torch.ones_like(digits)  # a row of white between the two
samples = [unveil.sample(run, COLUMNS, temperature=heat) for heat in (1.0, 0.8, 0.6)]
save(smooth(torch.cat([*rows, gap, *samples]), 5), "flows.png", columns=COLUMNS, scale=1)
