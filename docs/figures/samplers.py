"""docs/images/samplers.png: the way from noise to digits, without noise on the way (top) and with it."""

import torch
from trained import IMAGES, with_labels

import unveil
from unveil import Streams
from unveil.data import grid

MOMENTS = (12, 22, 30, 35, 39, 42, 45, 48, 50)

run = with_labels()
sheets = []
for sampler in ("ddim", "ancestral"):
    shown = [run.model.noise(3, Streams(7, 3))]

    def keep(done, total, state, shown=shown):
        if done in MOMENTS:
            shown.append(state)

    unveil.sample(run, 3, seed=7, steps=50, sampler=sampler, label=[0, 3, 7], guidance=2, watch=keep)
    sheets.append(grid(torch.stack(shown, 1).flatten(0, 1), columns=len(MOMENTS) + 1, scale=7))
gap = torch.full((1, 14, sheets[0].shape[2]), 255, dtype=torch.uint8)
unveil.save_images(torch.cat([sheets[0], gap, sheets[1]], 1), IMAGES / "samplers.png", force=True)
