"""Images and clips in, as uint8 blocks that yield batches in [-1, 1]; pictures and clips out.

Names are fetched when they are first used: `unveil.data.sources`, which a command line asks whether a source is one
at all, imports neither torch nor numpy, and must stay so.
"""

from typing import TYPE_CHECKING

from unveil.core.late import fetched_late

if TYPE_CHECKING:
    from unveil.data.dataset import Images as Images
    from unveil.data.decoding import load_image as load_image
    from unveil.data.images import open_images as open_images
    from unveil.data.moving_digits import MovingDigits as MovingDigits
    from unveil.data.quantisation import dequantise as dequantise
    from unveil.data.saving import grid as grid
    from unveil.data.saving import save_animation as save_animation
    from unveil.data.saving import save_images as save_images
    from unveil.data.saving import to_uint8 as to_uint8
    from unveil.data.sources import Source as Source
    from unveil.data.sources import check_source as check_source
    from unveil.data.strips import strip as strip
    from unveil.data.video import read_video as read_video
    from unveil.data.video import write_video as write_video
    from unveil.data.videos import Videos as Videos
    from unveil.data.videos import open_videos as open_videos

_HOMES = {
    "Images": "dataset",
    "MovingDigits": "moving_digits",
    "Source": "sources",
    "Videos": "videos",
    "check_source": "sources",
    "dequantise": "quantisation",
    "grid": "saving",
    "load_image": "decoding",
    "open_images": "images",
    "open_videos": "videos",
    "read_video": "video",
    "save_animation": "saving",
    "save_images": "saving",
    "strip": "strips",
    "to_uint8": "saving",
    "write_video": "video",
}
__getattr__, __dir__ = fetched_late(__name__, _HOMES)
