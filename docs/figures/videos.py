"""docs/images/videos.png: two clips of moving digits as strips."""

from trained import IMAGES

import unveil
from unveil.data import open_videos, strip

clips, _ = open_videos("moving-digits", frames=28, size=64).batch([6, 8])
unveil.save_images(strip(clips, known=range(9), most=10), IMAGES / "videos.png", force=True)
