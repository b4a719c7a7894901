"""How good a codec is: bytes and errors on pictures, beside JPEG and WebP at the same bytes."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import DataError
from unveil.data.folders import SUFFIXES
from unveil.tasks.codec import codes_of, each_file, list_files, open_codec
from unveil.tasks.report import Quiet, Report

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.codecs import Codec
    from unveil.metrics.measure import Measure

PEERS = ("JPEG", "WEBP")
_LONGEST = {"JPEG": 65_500, "WEBP": 16_383}  # sides, in pixels, that these can write
CONVENTIONS = {
    "ratio": ["bytes of the 8-bit pixels over those of the whole file"],
    "psnr": ["over all pixels and channels of the rounded picture, data range 255"],
    "luma-psnr": ["the same of Y = 0.299 R + 0.587 G + 0.114 B alone, not rounded"],
    "ssim": ["gaussian window 11, sigma 1.5, variances over n", "channels averaged", "data range 255"],
    "ssim-uniform": ["uniform window 7, variances over n - 1", "channels averaged", "data range 255"],
}
"""What each figure is."""
UNITS = {"psnr": "dB", "luma-psnr": "dB"}


@dataclass(frozen=True)
class Quality:
    """How one method did on some pictures.

    Attributes:
        method: the codec's name, or "JPEG" or "WEBP", at the most bytes that are no more than ours for each picture.
        figures: for each name in CONVENTIONS.
        above: of how many pictures the method could not make as few bytes; its smallest file is taken there.
    """

    method: str
    figures: "dict[str, Measure]"
    above: int = 0

    def __str__(self) -> str:
        above = f" ({self.above} of them larger)" if self.above else ""
        parts = [f"{name} {measure.value:.4g} {measure.unit}".strip() for name, measure in self.figures.items()]
        return f"{self.method}{above}: {', '.join(parts)}"


def evaluate(
    pictures: "Sequence[str | Path]",
    codec: "Codec | str | Path | None" = None,
    *,
    compress: bool = True,
    peers: Sequence[str] = PEERS,
    drop_alpha: bool = False,
    report: Report | None = None,
) -> list[Quality]:
    """Measure a codec on pictures, and JPEG and WebP on the same pictures at the same bytes.

    Args:
        pictures: files and folders.
        codec: a codec or its file; that which comes with the library without it.
        compress: whether its codes are compressed by LZMA.
        peers: some of `PEERS`.
        drop_alpha: lay transparent pictures over white; without it they are refused.
        report: told of progress.

    Raises:
        DataError: pictures that cannot be read, or are smaller than the window of a figure.
    """
    listed = list_files(pictures, SUFFIXES, "pictures")
    used = open_codec(codec)

    import torch

    from unveil.codecs import pack, unpack
    from unveil.metrics.measure import Measure
    from unveil.tasks.codec_pictures import read_bytes

    def one(path: Path) -> list[tuple[list[float], bool]]:
        x, _ = read_bytes(path, drop_alpha=drop_alpha)
        if min(x.shape[1:]) < 11:
            raise DataError(f"'{path}' is smaller than 11 x 11 pixels, the window of SSIM, and cannot be measured.")
        for peer in peers:
            if max(x.shape[1:]) > _LONGEST[peer]:
                raise DataError(
                    f"'{path}' has {x.shape[2]} x {x.shape[1]} pixels, and {peer} writes sides of {_LONGEST[peer]:,} at most; "
                    "measure it alone (--alone), or a part of it."
                )
        codes, grey = codes_of(x, used, path)
        data = pack(codes, (x.shape[1], x.shape[2]), used, grey=grey, compress=compress)
        found = unpack(data, used)
        ours = found.codec.decode(found.codes[None], found.size, to_bytes=True)[0]
        rows = [(figures(x, ours, len(data)), False)]
        for peer in peers:
            theirs, count = at_bytes(x, peer, len(data))
            rows.append((figures(x, theirs, count), count > len(data)))
        return rows

    rows = each_file(one, [path for path, _ in listed], "measuring", report or Quiet(), "can be measured alone")
    found = []
    for i, method in enumerate((used.layout.name, *peers)):
        values = torch.tensor([row[i][0] for row in rows], dtype=torch.float64)
        measures = {
            name: Measure.mean(
                name,
                values[:, column],
                split="given",
                preprocessing="whole pictures, 8 bits",
                unit=UNITS.get(name, ""),
                better="high",
                notes=[*CONVENTIONS[name], "mean of each picture's value"],
            )
            for column, name in enumerate(CONVENTIONS)
        }
        found.append(Quality(method, measures, sum(row[i][1] for row in rows)))
    return found


def figures(x: "Tensor", y: "Tensor", count: int) -> list[float]:
    """The figures in CONVENTIONS of a decoded picture y beside x, both (1 or 3, H, W) in uint8, that took `count` bytes."""
    from skimage.metrics import structural_similarity

    from unveil.codecs.colour import BLUE, GREEN, RED
    from unveil.metrics import psnr

    pair = [z.double()[None] for z in (x, y)]
    weights = x.new_tensor([RED, GREEN, BLUE] if len(x) == 3 else [1.0], dtype=pair[0].dtype)
    lumas = [(z * weights[:, None, None]).sum(1, keepdim=True) for z in pair]
    # On photographs this is five times as fast as `unveil.metrics.ssim`, which gives the same.
    gaussian, uniform = (
        float(
            structural_similarity(
                x.numpy().astype(float), y.numpy().astype(float), channel_axis=0, data_range=255, **kind
            )
        )
        for kind in ({"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}, {})
    )
    return [
        x.numel() / count,
        float(psnr(*pair, data_range=255)[0]),
        float(psnr(*lumas, data_range=255)[0]),
        gaussian,
        uniform,
    ]


def at_bytes(x: "Tensor", method: str, count: int) -> "tuple[Tensor, int]":
    """A picture (1 or 3, H, W) after JPEG or WebP at the best quality that takes no more than `count` bytes, and its bytes.

    JPEG is Pillow's with optimised Huffman tables and 4:2:0 chroma, WebP the same library's with method 4.
    """
    import numpy as np
    import torch
    from PIL import Image

    pixels = x.numpy()
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    options: dict[str, Any] = {"optimize": True} if method == "JPEG" else {"method": 4}

    def made(quality: int) -> bytes:
        file = io.BytesIO()
        image.save(file, method, quality=quality, **options)
        return file.getvalue()

    best = made(_largest(lambda quality: len(made(quality)) <= count, 1, 95))
    with Image.open(io.BytesIO(best)) as opened:
        back = np.asarray(opened.convert(image.mode))
    return torch.from_numpy(np.atleast_3d(back).transpose(2, 0, 1).copy()), len(best)


def _largest(fits: Callable[[int], bool], low: int, high: int) -> int:
    """The largest number that fits, or `low` where none does."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
