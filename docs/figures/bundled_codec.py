"""unveil/codecs/photos-opq-32-8-8.safetensors: the codec that comes with the library.

It is fitted to four free photographs that scikit-image brings along (astronaut: NASA, public domain; chelsea, coffee and
rocket: CC0), each with its colour channels in all six orders, since four photographs show few colours. A minute of one core.
"""

from itertools import permutations

import torch
from skimage import data

from unveil.codecs import fit_codec, save_codec
from unveil.codecs.storage import BUNDLED

photos = [
    torch.from_numpy(photo()).permute(2, 0, 1) for photo in (data.astronaut, data.chelsea, data.coffee, data.rocket)
]
turned = [photo[list(channels)] for photo in photos for channels in permutations(range(3))]
codec = fit_codec(turned, "OPQ-32-8-8", patches=500_000, progress=print)
print(codec.fingerprint, save_codec(codec, BUNDLED, force=True))
