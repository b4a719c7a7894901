"""Pictures as the numbers of their codes: what a diffusion of single pictures and one of videos both live in."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from unveil.models.codec_diffusion.kept_codec import KeptCodec
from unveil.models.codec_diffusion.latents import to_codes, to_latents


class CodeSpace:
    """Goes from pictures of a shape to numbers in [-1, 1], one for each code, and back by the nearest codes.

    Pictures are continued by their edges to whole patches, and to as many of them as a network can halve.

    Args:
        codec: of the pictures; it need not be fitted yet.
        shape: of a picture, (C, H, W).
        divisor: the sides of the latents are multiples of this.
    """

    def __init__(self, codec: KeptCodec, shape: Sequence[int], divisor: int = 1) -> None:
        self.codec, self.shape = codec, torch.Size(shape)
        self.unit: int = codec.codec.patch * divisor
        """What both sides of a picture are continued to a multiple of."""
        tall, wide = (math.ceil(side / self.unit) * divisor for side in shape[1:])
        self.latent_shape = torch.Size((codec.codec.planes, tall, wide))

    @property
    def size(self) -> int:
        """How many codes there are, K."""
        return self.codec.codec.size

    def whole(self, x: Tensor) -> Tensor:
        """Pictures (B, C, H, W), continued to the sides that the latents stand for."""
        tall, wide = (-side % self.unit for side in self.shape[1:])
        return F.pad(x, (0, wide, 0, tall), mode="replicate") if tall or wide else x

    def cut(self, x: Tensor) -> Tensor:
        """Whole pictures, cut to (B, C, H, W) and to [-1, 1]."""
        return x[..., : self.shape[1], : self.shape[2]].clamp(-1, 1)

    def encode(self, x: Tensor) -> Tensor:
        """The numbers of pictures in [-1, 1]: (B, C, H, W) -> (B, planes, h, w)."""
        return to_latents(self.codec.encode(self.whole(x)), self.size)

    def decode(self, z: Tensor) -> Tensor:
        """The pictures of the codes nearest to some numbers: (B, planes, h, w) -> (B, C, H, W) in [-1, 1]."""
        if len(z) == 0:
            return torch.empty(0, *self.shape, device=z.device)
        return self.cut(self.codec.decode(to_codes(z, self.size)))
