"""A classical image codec: pictures to a few small whole numbers and back, without any network."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from unveil.codecs.colour import to_rgb, to_ycbcr
from unveil.codecs.names import KINDS, Layout
from unveil.codecs.patches import from_patches, pad, to_patches
from unveil.codecs.quantizers import Quantizer
from unveil.core.errors import ConfigError, DataError, ShapeError

VERSION = 1
"""Of what the tensors of a codec mean: planes in the order Y, Cb, Cr, the colours of JPEG files, patches row by row."""
_BAND = 4096  # patches at a time: what is done to them stays in a processor's cache
_SLACK = 1e-3  # by which floats may leave [-1, 1]


class Codec(nn.Module):
    """Cuts pictures into patches, and writes each patch of each channel as the numbers of entries in codebooks.

    It has buffers and no parameters, so a model may hold one and save it with its own weights; `from_state` and
    `load_state_dict` bring it back. Pictures are (B, C, H, W) in [-1, 1], codes (B, planes, h, w) in 0 .. size - 1, where
    the planes are those of Y, then Cb, then Cr, and h and w are the sides over the patch, rounded up.

    Args:
        layout: how pictures are cut and written.
        quantizers: one for each channel; zeros to be loaded into without them.
        ordered: whether the codebooks are sorted, so that neighbouring codes mean similar things.
    """

    about: Tensor

    def __init__(self, layout: Layout, quantizers: Sequence[Quantizer] | None = None, *, ordered: bool = True) -> None:
        super().__init__()
        self.layout = layout
        found = quantizers or [_blank(layout, count) for count in layout.counts]
        self.quantizers = cast(Sequence[Quantizer], nn.ModuleList(found))
        about = [VERSION, KINDS.index(layout.kind), layout.patch, layout.bits, int(ordered)]
        self.register_buffer("about", torch.tensor(about))
        self._check()

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Codec":
        """Make a codec from the tensors of one, named as in its `state_dict()`.

        Raises:
            DataError: they are not those of a codec.
        """
        try:
            _, kind, patch, bits, ordered = (int(number) for number in state["about"])
            channels = sorted(int(name.split(".")[1]) for name in state if name.endswith(".codebooks"))
            counts = [len(state[f"quantizers.{channel}.codebooks"]) for channel in channels]
            layout = Layout(KINDS[kind], tuple(count * bits for count in counts), patch, bits)
            codec = cls(layout, ordered=bool(ordered))
            codec.load_state_dict(dict(state))
            codec._check()
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            why = " ".join(str(error).split())  # torch tells of every tensor on a line of its own
            raise DataError(f"These are not the tensors of a codec that this version reads ({why}).") from error
        return codec

    @property
    def channels(self) -> int:
        """3 for colour, 1 for grey."""
        return self.layout.channels

    @property
    def planes(self) -> int:
        """How many codes are written of a patch."""
        return self.layout.planes

    @property
    def size(self) -> int:
        """Entries of each codebook."""
        return self.layout.size

    @property
    def patch(self) -> int:
        """Side of the patches in pixels."""
        return self.layout.patch

    @property
    def ratio(self) -> float:
        """Bits of 8-bit pixels over bits of codes."""
        return self.layout.ratio

    @property
    def ordered(self) -> bool:
        """Whether neighbouring codes mean similar things."""
        return bool(self.about[4])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides what codes mean, as 64 hexadecimal digits."""
        digest = hashlib.sha256(self.layout.name.encode())
        for name, tensor in sorted(self.state_dict().items()):
            kept = tensor.detach().cpu().contiguous()
            kept = kept.float() if kept.is_floating_point() else kept.long()
            digest.update(f" {name} {tuple(kept.shape)} ".encode())
            digest.update(kept.numpy().astype(f"<{kept.numpy().dtype.str[1:]}", copy=False).tobytes())
        return digest.hexdigest()

    def extra_repr(self) -> str:
        """Name and size, for printing."""
        return f"{self.layout.name}, patches of {self.patch} x {self.patch}, ordered={self.ordered}"

    def grey_part(self) -> "Codec":
        """What this codec does to Y alone, as a codec of grey pictures with the same codebooks."""
        if self.channels == 1:
            return self
        grey = Layout(self.layout.kind, self.layout.budget[:1], self.patch, self.layout.bits)
        return Codec(grey, [self.quantizers[0]], ordered=self.ordered)

    def shape_of(self, height: int, width: int) -> tuple[int, int, int]:
        """The shape (planes, h, w) of the codes of a picture."""
        return self.planes, -(-height // self.patch), -(-width // self.patch)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The codes of pictures of any size: (B, C, H, W), floats in [-1, 1] or uint8, to (B, planes, h, w), uint8.

        Raises:
            ShapeError: another number of channels than the codec's, or no picture at all.
            DataError: numbers that are not finite or leave [-1, 1].
        """
        if x.ndim != 4 or x.shape[1] != self.channels or not x.numel():
            raise ShapeError(
                f"This codec encodes pictures (B, {self.channels}, H, W), {'colour' if self.channels == 3 else 'grey'}; got "
                f"{tuple(x.shape)}."
            )
        _, tall, wide = self.shape_of(*x.shape[2:])
        codes = torch.empty(len(x), self.planes, tall, wide, dtype=torch.uint8, device=x.device)
        for rows in self._bands(len(x), tall, wide):
            band = as_numbers(x[:, :, rows.start * self.patch : rows.stop * self.patch])
            patches = to_patches(self._to_planes(pad(band, self.patch)), self.patch)
            found = torch.cat(
                [quantizer.encode(channel) for quantizer, channel in zip(self.quantizers, patches, strict=True)], 1
            )
            codes[:, :, rows] = found.reshape(len(x), -1, wide, self.planes).permute(0, 3, 1, 2)
        return codes

    @torch.no_grad()
    def decode(self, codes: Tensor, size: tuple[int, int] | None = None, *, to_bytes: bool = False) -> Tensor:
        """The pictures that codes (B, planes, h, w) stand for: (B, C, H, W).

        Args:
            codes: whole numbers in 0 .. size - 1.
            size: height and width of the pictures, which the last patches reach beyond; whole patches without it.
            to_bytes: round and clip to uint8; else floats, which may leave [-1, 1] a little.

        Raises:
            ShapeError: the codes are those of another codec, or of another size.
            DataError: a code that no codebook has.
        """
        self._check_codes(codes)
        batch, _, tall, wide = codes.shape
        height, width = size or (tall * self.patch, wide * self.patch)
        if self.shape_of(height, width)[1:] != (tall, wide):
            raise ShapeError(
                f"Codes of {wide} x {tall} patches of {self.patch} pixels do not make pictures of {width} x {height} pixels."
            )
        kind = torch.uint8 if to_bytes else self.quantizers[0].codebooks.dtype
        x = torch.empty(batch, self.channels, height, width, dtype=kind, device=codes.device)
        for rows in self._bands(batch, tall, wide):
            parts = codes[:, :, rows].permute(0, 2, 3, 1).reshape(-1, self.planes).split(self.layout.counts, 1)
            patches = torch.stack([q.decode(part) for q, part in zip(self.quantizers, parts, strict=True)])
            band = self._from_planes(from_patches(patches, self.patch, (batch, rows.stop - rows.start, wide)))
            lines = slice(rows.start * self.patch, min(rows.stop * self.patch, height))
            band = band[:, :, : lines.stop - lines.start, :width]
            x[:, :, lines] = band.add_(1).mul_(127.5).round_().clamp_(0, 255) if to_bytes else band
        return x

    def soft_decode(self, probs: Tensor) -> Tensor:
        """The mean of what codes stand for, each drawn by probabilities: (B, planes, K, h, w) to (B, C, h patch, w patch).

        It is linear in the probabilities, with gradients to them, and neither rounded nor clipped. Probabilities of one code
        alone give what `decode` gives.

        Raises:
            ShapeError: not as many planes or entries as the codec has.
        """
        if probs.ndim != 5 or probs.shape[1:3] != (self.planes, self.size):
            raise ShapeError(
                f"soft_decode takes probabilities (B, {self.planes}, {self.size}, h, w); got {tuple(probs.shape)}."
            )
        batch, _, _, tall, wide = probs.shape
        channels = []
        for quantizer, part in zip(self.quantizers, probs.split(self.layout.counts, 1), strict=True):
            tables = quantizer.tables().flatten(0, 1).to(probs.dtype)  # (M K, d)
            channels.append(part.flatten(1, 2).permute(0, 2, 3, 1).flatten(0, 2) @ tables)
        return self._from_planes(from_patches(torch.stack(channels), self.patch, (batch, tall, wide)))

    def _to_planes(self, x: Tensor) -> Tensor:
        return to_ycbcr(x) if self.channels == 3 else x

    def _from_planes(self, x: Tensor) -> Tensor:
        return to_rgb(x) if self.channels == 3 else x

    def _bands(self, batch: int, tall: int, wide: int) -> list[slice]:
        """Rows of patches that are worked on together."""
        rows = max(1, _BAND // (batch * wide))
        return [slice(start, min(start + rows, tall)) for start in range(0, tall, rows)]

    def _check_codes(self, codes: Tensor) -> None:
        if codes.ndim != 4 or codes.shape[1] != self.planes or codes.is_floating_point() or not codes.numel():
            raise ShapeError(
                f"This codec decodes whole numbers (B, {self.planes}, h, w); got {tuple(codes.shape)} of {codes.dtype}."
            )
        if codes.dtype == torch.uint8 and self.size == 256:
            return
        low, high = (int(end) for end in codes.aminmax())
        if low < 0 or high >= self.size:
            raise DataError(f"Codes lie in 0 .. {self.size - 1}; these reach from {low} to {high}.")

    def _check(self) -> None:
        if int(self.about[0]) != VERSION:
            raise DataError(
                f"This codec is of version {int(self.about[0])}, and this library reads version {VERSION}; take a newer one."
            )
        for quantizer, count in zip(self.quantizers, self.layout.counts, strict=True):
            if quantizer.codebooks.shape[:2] != (count, self.size):
                raise ConfigError(
                    f"{self.layout.name} has {count} codebooks of {self.size} entries; got "
                    f"{tuple(quantizer.codebooks.shape[:2])}."
                )
            if not all(bool(torch.isfinite(tensor).all()) for tensor in quantizer.buffers()):
                raise DataError("A codebook holds numbers that are not finite.")


def as_numbers(x: Tensor) -> Tensor:
    """Pictures as float32 in [-1, 1], from that or from uint8.

    Raises:
        DataError: numbers that are not finite or leave [-1, 1].
    """
    if x.dtype == torch.uint8:
        return x.float().div_(127.5).sub_(1)
    if not x.is_floating_point():
        raise DataError(f"Pictures are floats in [-1, 1] or uint8; these are {x.dtype}.")
    largest = float(x.abs().amax()) if x.numel() else 0.0
    if not largest <= 1 + _SLACK:  # neither is what is not a number
        raise DataError(
            f"Pictures lie in [-1, 1]; these hold {largest:.4g}. Bring 0 .. 255 there with x / 127.5 - 1, and 0 .. 1 with "
            "x * 2 - 1."
        )
    return x.detach().float()


def _blank(layout: Layout, count: int) -> Quantizer:
    """A quantizer of the right shapes, to be loaded into."""
    length = layout.patch**2
    width = length if layout.kind == "RQ" else length // count
    rotation = torch.eye(length) if layout.kind == "OPQ" and count > 1 else None
    return Quantizer(layout.kind, torch.zeros(count, layout.size, width), rotation)
