"""U-Nets of the diffusers library, read from a folder and written to one, without the library itself."""

from unveil.models.diffusers_format.folder import DiffusersUNet as DiffusersUNet
from unveil.models.diffusers_format.folder import read_diffusers as read_diffusers
from unveil.models.diffusers_format.folder import write_diffusers as write_diffusers
