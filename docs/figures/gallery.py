"""docs/images/gallery.png: how two models make digits out of noise. Left white noise, right smooth noise."""

import torch
from trained import IMAGES, smooth, with_labels

import unveil
from unveil import Streams
from unveil.data import grid

TEN = list(range(10))
MOMENTS = (38, 45)

halves = []
for recipe, seeds in (("digits-ddpm", (1, 2, 3)), ("digits-free-field", (11, 12, 13))):
    run = with_labels(recipe)
    on_the_way = [run.model.noise(10, Streams(seeds[0], 10)) / 1.5]

    def keep(done, total, state, shown=on_the_way):
        if done in MOMENTS:
            shown.append(state)

    options = {"sampler": "ancestral", "steps": 50, "label": TEN, "guidance": 1.5}
    first = unveil.sample(run, 10, seed=seeds[0], watch=keep, **options)
    more = [unveil.sample(run, 10, seed=seed, **options) for seed in seeds[1:]]
    rows = [x.repeat_interleave(5, -1).repeat_interleave(5, -2) for x in on_the_way]
    halves.append(grid(torch.cat(rows + [smooth(x, 5) for x in (first, *more)]), columns=10, scale=1, padding=2))
gap = torch.full((1, halves[0].shape[1], 16), 255, dtype=torch.uint8)
unveil.save_images(torch.cat([halves[0], gap, halves[1]], 2), IMAGES / "gallery.png", force=True)
