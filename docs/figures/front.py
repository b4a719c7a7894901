"""docs/images/front-*.png: a strip for each system, cut from the picture of its page."""

from PIL import Image
from trained import IMAGES

WIDTH = 400
STRIPS = {  # the picture, and what is cut from it: left, top, right, bottom
    "diffusion": ("gallery.png", (440, 127, 860, 254)),
    "restoration": ("restoration-models.png", (0, 0, 505, 169)),
    "single-image": ("single-image.png", (0, 0, 488, 107)),
    "hat": ("hat.png", (402, 225, 800, 323)),
    "codec": ("codec-diffusion.png", (0, 0, 640, 232)),
    "flow": ("flows.png", (0, 0, 505, 127)),
    "ode-video": ("ode-video.png", (680, 136, 1360, 272)),
    "video-diffusion": ("video-diffusion.png", (0, 0, 360, 142)),
    "pose": ("pose-editor-shapes.png", (90, 90, 790, 400)),
}

for name, (source, box) in STRIPS.items():
    strip = Image.open(IMAGES / source).convert("RGB").crop(box)
    strip = strip.resize((WIDTH, round(WIDTH * strip.height / strip.width)), Image.Resampling.LANCZOS)
    strip.quantize(64).save(IMAGES / f"front-{name}.png", optimize=True)
