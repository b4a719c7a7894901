"""docs/images/restore.png: a photograph spoilt in four ways, each beside what a denoiser of photographs makes of it.

python docs/figures/restore.py RUN, a run of photos-denoiser that was trained on other photographs than scikit-image's.
"""

import sys

import torch
from skimage import data
from trained import IMAGES

import unveil
from unveil.tasks.pictures import side_by_side

run = unveil.load(sys.argv[1])
photo = torch.from_numpy(data.chelsea()[40:184, 110:286].copy()).permute(2, 0, 1) / 127.5 - 1
rows = []
for pair in (("noise:25/255", "mask:0.7"), ("blur:gaussian:1.6,noise:2/255", "downsample:2")):
    panels = []
    for operator in pair:
        found = unveil.restore(run, photo, operator, degrade=True)
        print(operator, found.psnr, found.ssim)
        panels += found.panels[:2]
    rows.append(side_by_side(panels))
gap = torch.ones(3, 4, rows[0].shape[2])
unveil.save_images(torch.cat([rows[0], gap, rows[1]], 1), IMAGES / "restore.png", force=True)
