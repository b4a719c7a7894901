"""Diffusion on the codes of a classical codec, continuous or categorical, and the parts it is made of."""

from unveil.models.codec_diffusion.gumbel import draw as draw
from unveil.models.codec_diffusion.gumbel import gumbel_like as gumbel_like
from unveil.models.codec_diffusion.gumbel import gumbel_softmax as gumbel_softmax
from unveil.models.codec_diffusion.kept_codec import KeptCodec as KeptCodec
from unveil.models.codec_diffusion.latents import disturbed as disturbed
from unveil.models.codec_diffusion.latents import to_codes as to_codes
from unveil.models.codec_diffusion.latents import to_latents as to_latents
from unveil.models.codec_diffusion.model import CodecDiffusion as CodecDiffusion
from unveil.models.codec_diffusion.refiner import Refiner as Refiner
from unveil.models.codec_diffusion.space import CodeSpace as CodeSpace
