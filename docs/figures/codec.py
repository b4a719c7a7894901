"""docs/images/codec.png: what one added to every code does to a photograph, without and with ordered codebooks."""

from itertools import permutations

import torch
from skimage import data
from trained import IMAGES

import unveil
from unveil.codecs import fit_codec
from unveil.metrics import psnr
from unveil.tasks.pictures import side_by_side

photos = [torch.from_numpy(photo()).permute(2, 0, 1) for photo in (data.chelsea, data.coffee, data.rocket)]
turned = [photo[list(channels)] for photo in photos for channels in permutations(range(3))]
photo = torch.from_numpy(data.astronaut()[0:144, 140:300].copy()).permute(2, 0, 1)[None]  # none of the three
panels = [photo[0]]
for ordered in (False, True):
    codec = fit_codec(turned, "OPQ-32-8-8", patches=100_000, ordered=ordered)
    codes = codec.encode(photo)
    shifted = (codes.int() + 1).clamp(0, 255)
    decoded, moved = (codec.decode(z, photo.shape[2:], to_bytes=True) for z in (codes, shifted))
    print(f"ordered={ordered}:", *(f"{float(psnr(x, photo, data_range=255)[0]):.1f} dB" for x in (decoded, moved)))
    panels += [moved[0]] if ordered else [decoded[0], moved[0]]
unveil.save_images(side_by_side([x / 127.5 - 1 for x in panels]), IMAGES / "codec.png", force=True)
