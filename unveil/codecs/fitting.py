"""Codecs fitted to pictures."""

import math
import warnings
from collections.abc import Callable, Iterable, Sized

import torch
from torch import Tensor

from unveil.codecs.clustering import ROUNDS, k_means
from unveil.codecs.codec import Codec, as_numbers
from unveil.codecs.colour import to_ycbcr
from unveil.codecs.names import Layout, parse_name
from unveil.codecs.ordering import order
from unveil.codecs.patches import pad
from unveil.codecs.quantizers import Quantizer
from unveil.core.errors import DataError, ShapeError
from unveil.core.numbers import check_seed, check_whole
from unveil.core.protocols import Progress

PATCHES = 200_000
FEW = 39
"""Patches for each entry of a codebook, below which the entries are little more than the patches."""
TURNS = 5
"""Rounds in which a rotation and its codebooks are fitted to each other."""
BLACK, WHITE, NEUTRAL = -1.0, 1.0, 0.0


def fit_codec(
    images: Iterable[Tensor],
    name: str | Layout = "OPQ-32-8-8",
    *,
    patch: int = 8,
    bits: int = 8,
    patches: int = PATCHES,
    ordered: bool = True,
    flat: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> Codec:
    """Fit a codec to pictures.

    Args:
        images: (C, H, W) of any sizes, floats in [-1, 1] or uint8, as many channels as the name has budgets; looked at once.
        name: what is to be fitted, see `parse_name`.
        patch: side of the patches in pixels.
        bits: of one code.
        patches: how many are looked at, drawn from all places and half of them upside down: evenly from the pictures, and
            all there are where there are fewer.
        ordered: sort every codebook, so that neighbouring codes mean similar things; see `order`.
        flat: keep entries for patches of one level, so that black, white and what has no colour are exact; not in codebooks of
            two entries.
        seed: names all that is random.
        progress: told how many of the codebooks are fitted.

    Raises:
        ConfigError: a budget that cannot be met.
        DataError: no pictures, numbers that leave [-1, 1], or fewer patches than entries of a codebook.
        ShapeError: pictures of another shape.
    """
    layout = parse_name(name, patch=patch, bits=bits) if isinstance(name, str) else name
    check_whole("patches", patches)
    check_seed(seed)
    rows = draw_patches(images, layout, patches, seed)
    found = rows.shape[1]
    if found < layout.size:
        raise DataError(
            f"{layout.name} has {layout.size} entries in a codebook, and {found} patches of {layout.patch} x {layout.patch} "
            f"pixels were given to fit them to; it needs {layout.size} or more, and {FEW * layout.size} to be good. "
            + ("Look at more of them (patches)." if found == patches else "Give more pictures, or fewer bits a code.")
        )
    if found < FEW * layout.size:
        warnings.warn(
            f"{found} patches are few for codebooks of {layout.size} entries, and other pictures will look poor; "
            f"{FEW * layout.size} or more are better.",
            stacklevel=2,
        )
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, layout.planes)

    quantizers = []
    for channel, count in enumerate(layout.counts):
        levels = [] if not flat or layout.size == 2 else [BLACK, WHITE] if channel == 0 else [NEUTRAL]
        quantizer = fit_quantizer(rows[channel], layout, count, torch.tensor(levels), seed, tick)
        quantizers.append(sort_books(quantizer) if ordered else quantizer)
    return Codec(layout, quantizers, ordered=ordered)


def draw_patches(images: Iterable[Tensor], layout: Layout, patches: int, seed: int) -> Tensor:
    """Patches from anywhere in some pictures, (C, N, side^2) in Y, Cb, Cr or grey; half of them upside down."""
    pictures = images if isinstance(images, Sized) else list(images)
    generator = torch.Generator().manual_seed(seed)
    side, drawn = layout.patch, []
    share = math.ceil(patches / max(1, len(pictures)))
    for image in pictures:
        if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] != layout.channels:
            raise ShapeError(
                f"{layout.name} is fitted to pictures of shape ({layout.channels}, H, W); one has shape "
                f"{tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__}."
            )
        x = as_numbers(image[None])
        tall, wide = (max(0, side - length) for length in x.shape[2:])
        x = pad(x, side) if tall or wide else x
        x = to_ycbcr(x) if layout.channels == 3 else x
        windows = x[0].unfold(1, side, 1).unfold(2, side, 1)  # (C, H', W', side, side)
        places = windows.shape[1] * windows.shape[2]
        if places <= share:
            chosen = torch.arange(places)
        elif places <= 4 * share:
            chosen = torch.randperm(places, generator=generator)[:share]
        else:  # hardly any place comes twice
            chosen = torch.randint(places, (share,), generator=generator)
        taken = windows[:, chosen // windows.shape[2], chosen % windows.shape[2]]
        turned = torch.rand(len(chosen), generator=generator) < 0.5
        taken = torch.where(turned[None, :, None, None], taken.flip(2), taken)
        drawn.append(taken.flatten(2))
    if not drawn:
        raise DataError("There are no pictures to fit a codec to; give one or more.")
    rows = torch.cat(drawn, 1)
    return rows[:, torch.randperm(rows.shape[1], generator=generator)[:patches]].contiguous()


def fit_quantizer(
    x: Tensor, layout: Layout, count: int, exact: Tensor, seed: int, tick: Callable[[], None] = lambda: None
) -> Quantizer:
    """Fit `count` codebooks to the vectors x, (N, d).

    Args:
        x: patches of one channel.
        layout: what kind, and of which size.
        count: how many codebooks.
        exact: levels of flat patches that are to be entries, (E,).
        seed: names what is random.
        tick: called after each codebook.
    """
    flats = exact[:, None].expand(-1, x.shape[1])
    if layout.kind == "RQ":
        return Quantizer("RQ", _residual_books(x, layout.size, count, flats, seed, tick))
    rotation = None
    start: list[Tensor | None] = [None] * count
    if layout.kind == "OPQ" and count > 1:
        rotation, found = fit_rotation(x, layout.size - len(exact), count, seed)
        start = list(found)
        x, flats = x @ rotation.T, flats @ rotation.T
    books = []
    for m, (part, flat) in enumerate(zip(x.chunk(count, 1), flats.chunk(count, 1), strict=True)):
        book = k_means(part.contiguous(), layout.size - len(exact), seed=seed + m, start=start[m])
        books.append(torch.cat([flat, book]))
        tick()
    return Quantizer(layout.kind, torch.stack(books), rotation)


def balanced_rotation(x: Tensor, count: int) -> Tensor:
    """The rotation (d, d) to principal axes of x, (N, d), dealt out so that each of `count` parts has its share of variance.

    Largest variance first, an axis goes to the part with room whose product of variances is the smallest.

    Source: Ge, He, Ke and Sun (2013), Optimized product quantization, section 4 (the parametric solution).
    """
    centred = (x - x.mean(0)).double()
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
    variances = values.flip(0).clamp(min=values.max() * 1e-12 + 1e-30)
    logs = (variances / variances.min()).log()
    parts: list[list[int]] = [[] for _ in range(count)]
    room = x.shape[1] // count
    for axis in range(x.shape[1]):
        emptiest = min((part for part in parts if len(part) < room), key=lambda part: sum(float(logs[i]) for i in part))
        emptiest.append(axis)
    return vectors.flip(1).T[torch.tensor([axis for part in parts for axis in part])].to(x.dtype)


def fit_rotation(
    x: Tensor, size: int, count: int, seed: int, *, turns: int = TURNS, start: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Fit a rotation (d, d), and codebooks (count, size, d / count) of what it gives, to the vectors x, (N, d).

    In turns the codebooks are fitted to the rotated vectors, and the vectors are turned to meet what the codebooks make of
    them (the orthogonal Procrustes problem).

    Args:
        x: vectors.
        size: entries of a codebook.
        count: codebooks.
        seed: names what is random.
        turns: how many.
        start: the rotation to begin with; `balanced_rotation` without it, which is nearly as good as what is found in the end.

    Source: Ge, He, Ke and Sun (2013), Optimized product quantization, algorithm 1.
    """
    rotation = balanced_rotation(x, count) if start is None else start
    books: list[Tensor] = []
    for turn in range(turns + 1):
        turned = x @ rotation.T
        parts = [part.contiguous() for part in turned.chunk(count, 1)]
        books = [
            k_means(part, size, rounds=4 if books else ROUNDS // 2, seed=seed + m, start=books[m] if books else None)
            for m, part in enumerate(parts)
        ]
        if turn == turns:
            break
        quantizer = Quantizer("PQ", torch.stack(books))
        met = quantizer.decode(quantizer.encode(turned))
        left, _, right = torch.linalg.svd((x.T @ met).double())
        rotation = (left @ right).T.to(x.dtype)
    return rotation, torch.stack(books)


def _residual_books(x: Tensor, size: int, count: int, flats: Tensor, seed: int, tick: Callable[[], None]) -> Tensor:
    books: list[Tensor] = []
    for m in range(count):
        rest = x
        if books:
            before = Quantizer("RQ", torch.stack(books))
            rest = x - before.decode(before.encode(x))
        kept = flats if m == 0 else flats.new_zeros(min(1, len(flats)), x.shape[1])  # flat patches leave nothing over
        books.append(torch.cat([kept, k_means(rest, size - len(kept), seed=seed + m)]))
        tick()
    return torch.stack(books)


def sort_books(quantizer: Quantizer) -> Quantizer:
    """The same quantizer with every codebook sorted; what it decodes to does not change."""
    sorted_books = []
    for m, book in enumerate(quantizer.codebooks):
        bright = None
        if quantizer.rotation is not None:
            rows = quantizer.rotation.unflatten(0, (len(quantizer.codebooks), -1))[m]  # (d/M, d)
            bright = rows.sum(1)
        sorted_books.append(book[order(book, bright)])
    return Quantizer(quantizer.kind, torch.stack(sorted_books), quantizer.rotation)
