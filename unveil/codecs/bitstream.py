"""Codes as the bytes of a file, and back."""

import lzma
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unveil.codecs.codec import Codec
from unveil.codecs.headers import MOST_PIXELS, PREFIX, Header, seal, unseal
from unveil.core.errors import DataError, ShapeError

# Neither of the three kinds of context that LZMA offers helps with codes.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]


class Unpacked(NamedTuple):
    """The codes of an encoded picture.

    Attributes:
        codes: (planes, h, w), uint8.
        size: height and width of the picture.
        codec: what decodes them: that which was given, or its grey part.
    """

    codes: Tensor
    size: tuple[int, int]
    codec: Codec


def pack(codes: Tensor, size: tuple[int, int], codec: Codec, *, grey: bool = False, compress: bool = True) -> bytes:
    """Write the codes of one picture as bytes.

    Args:
        codes: (planes, h, w) of the codec, or of its grey part.
        size: height and width of the picture.
        codec: what made them.
        grey: whether they are those of Y alone, because the picture has no colour.
        compress: compress the codes by LZMA, if that makes them smaller; it loses nothing.

    Raises:
        ShapeError: the codes are not those of a picture of this size, or the picture has no pixels.
        DataError: a code that no codebook has, one that is no whole number, or too large a picture.
    """
    header = Header(
        codec.layout,
        size[1],
        size[0],
        codec.fingerprint[: 2 * PREFIX],
        False,
        codec.ordered,
        grey and codec.channels > 1,
    )
    if min(size) < 1:
        raise ShapeError(f"A picture has sides of 1 pixel or more; got {size[1]} x {size[0]}.")
    if tuple(codes.shape) != header.shape:
        raise ShapeError(
            f"A picture of {size[1]} x {size[0]} pixels has codes of shape {header.shape}; got {tuple(codes.shape)}."
        )
    if size[0] * size[1] > MOST_PIXELS:
        raise DataError(
            f"A picture of {size[1]} x {size[0]} pixels is too large for one file; the most are {MOST_PIXELS:,}."
        )
    if codes.is_floating_point():
        raise DataError(f"Codes are whole numbers; these are {codes.dtype}.")
    if int(codes.amin()) < 0 or int(codes.amax()) >= codec.size:
        raise DataError(
            f"Codes lie in 0 .. {codec.size - 1}; these reach from {int(codes.amin())} to {int(codes.amax())}."
        )
    bits = codec.layout.bits
    plain = codes.cpu().to(torch.uint8).contiguous().numpy()
    if bits < 8:
        plain = np.packbits(np.unpackbits(plain.reshape(-1, 1), axis=1, bitorder="little")[:, :bits], bitorder="little")
    payload = plain.tobytes()
    small = lzma.compress(payload, lzma.FORMAT_RAW, filters=_FILTERS) if compress else payload
    return seal(replace(header, packed=True), small) if len(small) < len(payload) else seal(header, payload)


def unpack(data: bytes, codec: Codec) -> Unpacked:
    """Read the codes of one picture.

    Raises:
        DataError: the bytes are damaged, or were made by another codec.
    """
    header, payload = unseal(data)
    mine = codec.fingerprint[: 2 * PREFIX]
    if header.fingerprint != mine:
        raise DataError(
            f"The picture was encoded by the codec {header.fingerprint[:12]} ({header.layout.name}), and this one is "
            f"{mine[:12]} ({codec.layout.name}); give the file of the codec that made it."
        )
    # The layout comes before the bytes: one that is not the codec's could ask for more of them than there is memory.
    if header.layout == codec.layout and header.packed:
        payload = _expand(payload, header.unpacked)
    if header.layout != codec.layout or len(payload) != header.unpacked:
        raise DataError("The encoded picture holds another number of codes than its header says.")
    flat, bits = np.frombuffer(payload, np.uint8), codec.layout.bits
    count = int(np.prod(header.shape))
    if bits < 8:
        spread = np.unpackbits(flat, bitorder="little")[: count * bits].reshape(count, bits)
        flat = np.packbits(spread, axis=1, bitorder="little")[:, 0]
    codes = torch.from_numpy(flat.reshape(header.shape).copy())
    return Unpacked(codes, (header.height, header.width), codec.grey_part() if header.grey else codec)


def _expand(payload: bytes, most: int) -> bytes:
    """What was compressed, but never more bytes than there can be."""
    opened = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    try:
        plain = opened.decompress(payload, max_length=most + 1)
    except lzma.LZMAError as error:
        raise DataError(f"The encoded picture's codes cannot be expanded ({error}).") from None
    return plain
