"""What stands before and after the codes in an encoded picture; docs/codec.md has it as a table. Imports no torch."""

import struct
import zlib
from dataclasses import dataclass

from unveil.codecs.names import KINDS, Layout
from unveil.core.errors import ConfigError, DataError

SUFFIX = ".uvc"
MAGIC = b"\x89UVC"
VERSION = 1
PREFIX = 16
"""How many bytes of a codec's fingerprint are kept."""
MOST_PIXELS = 2**28
_FIXED = struct.Struct("<4s2B2I3B3HB16sI")
_CHECK = struct.Struct("<I")
_PACKED, _ORDERED, _GREY = 1, 2, 4
_COLOURS = {1: 0, 3: 1}  # by channels: grey, and the YCbCr of JPEG files


@dataclass(frozen=True)
class Header:
    """What an encoded picture says of itself.

    Attributes:
        layout: of the codec it was made with.
        width: in pixels.
        height: in pixels.
        fingerprint: the first bytes of that codec's, in hexadecimal digits.
        packed: whether its codes are compressed further, by LZMA.
        ordered: whether the codebooks are sorted.
        grey: whether a codec of colour pictures was given a grey one, of which the codes of Y alone are kept.
    """

    layout: Layout
    width: int
    height: int
    fingerprint: str
    packed: bool
    ordered: bool
    grey: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (planes, h, w) of the codes that are kept."""
        side = self.layout.patch
        return (
            self.layout.counts[0] if self.grey else self.layout.planes,
            -(-self.height // side),
            -(-self.width // side),
        )

    @property
    def unpacked(self) -> int:
        """Bytes of the codes, before they are compressed further."""
        planes, tall, wide = self.shape
        return -(-planes * tall * wide * self.layout.bits // 8)


def seal(header: Header, payload: bytes) -> bytes:
    """Put header, codes and checksum together."""
    budgets = (*header.layout.budget, 0, 0)[:3]
    flags = _PACKED * header.packed | _ORDERED * header.ordered | _GREY * header.grey
    fixed = _FIXED.pack(
        MAGIC, VERSION, flags, header.width, header.height, header.layout.patch, KINDS.index(header.layout.kind),
        header.layout.bits, *budgets, _COLOURS[header.layout.channels], bytes.fromhex(header.fingerprint), len(payload),
    )  # fmt: skip
    whole = fixed + payload
    return whole + _CHECK.pack(zlib.crc32(whole))


def unseal(data: bytes) -> tuple[Header, bytes]:
    """Take an encoded picture apart, if it is whole.

    Raises:
        DataError: it is none, is cut short or damaged, or was made by a newer version.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise DataError("This is no encoded picture, or its beginning is damaged.")
    if len(data) < _FIXED.size + _CHECK.size:
        raise DataError(f"The encoded picture is cut short: it ends after {len(data)} bytes.")
    if data[len(MAGIC)] != VERSION:
        raise DataError(
            f"The encoded picture is of version {data[len(MAGIC)]}, and this library reads version {VERSION}: it is damaged, "
            "or wants a newer library."
        )
    _, _, flags, width, height, patch, kind, bits, *budgets, colour, fingerprint, length = _FIXED.unpack_from(data)
    whole = _FIXED.size + length + _CHECK.size
    if len(data) != whole:
        what = "cut short" if len(data) < whole else "followed by something else"
        raise DataError(f"The encoded picture is {what}: it should have {whole} bytes, and there are {len(data)}.")
    if zlib.crc32(data[: -_CHECK.size]) != _CHECK.unpack_from(data, len(data) - _CHECK.size)[0]:
        raise DataError("The encoded picture is damaged: its checksum is not that of its bytes.")
    budget = tuple(number for number in budgets if number)
    known = flags <= _PACKED | _ORDERED | _GREY and kind < len(KINDS)
    if not known or _COLOURS.get(len(budget)) != colour or not 0 < width * height <= MOST_PIXELS:
        raise DataError("The encoded picture's header holds values that this version does not know.")
    try:
        layout = Layout(KINDS[kind], budget, patch, bits)
    except ConfigError as error:
        raise DataError(f"The encoded picture's header names no codec: {error}") from None
    marks = (bool(flags & mark) for mark in (_PACKED, _ORDERED, _GREY))
    return Header(layout, width, height, fingerprint.hex(), *marks), data[_FIXED.size : -_CHECK.size]
