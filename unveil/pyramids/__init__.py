"""Pyramids: an image as scales from coarse to fine, of exact sizes, with or without a hole, or as means and details."""

from unveil.pyramids.masked import masked_pyramid as masked_pyramid
from unveil.pyramids.masked import masked_resize as masked_resize
from unveil.pyramids.resize import resize as resize
from unveil.pyramids.scales import image_pyramid as image_pyramid
from unveil.pyramids.scales import scale_sizes as scale_sizes
from unveil.pyramids.scales import scaled_sizes as scaled_sizes
from unveil.pyramids.volume_preserving import PatchTransform as PatchTransform
