"""Energy-based models of a single image: a pyramid of patch energies, from noise to a picture of any size."""

from unveil.models.single_image_ebm.model import SingleImageEBM as SingleImageEBM
from unveil.models.single_image_ebm.tiles import tiled_gradient as tiled_gradient
