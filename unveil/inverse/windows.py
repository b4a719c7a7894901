"""A prior that knows images of one size, applied to images of any size: on overlapping windows, blended without seams."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.protocols import Covariance, Prior, Randomness
from unveil.core.random import Streams
from unveil.covariance import Identity, on_plane
from unveil.inverse.search import nearest_level


class Windows:
    """A prior of images of any size, from one that takes windows of a given size.

    Windows overlap, and what they say is averaged with weights that fall to nothing at a window's border, so that no
    border shows. An image smaller than a window is mirrored beyond its border first. All windows of an image draw the
    same random numbers: a latent means the same everywhere.

    Args:
        prior: knows windows, (B, C, *size).
        size: height and width of a window; also the largest piece that is in memory at a time, times `batch`.
        overlap: pixels that neighbours share at least.
        batch: windows at a time.
        align: windows begin at multiples of this, for networks with strides, which answer a picture that is moved by a pixel
            differently.
        channels: of the images that the prior knows. One that knows grey images is given each channel as an image of its
            own; one that knows colour is given grey images in every channel, with noise that makes the channels differ, and the
            mean of its answer is taken.

    Raises:
        ConfigError: the overlap leaves nothing of a window.
    """

    def __init__(
        self,
        prior: Prior,
        size: tuple[int, int],
        *,
        overlap: int,
        batch: int = 8,
        align: int = 1,
        channels: int | None = None,
    ) -> None:
        check_windows(size, overlap, batch, align)
        self.prior, self.size, self.overlap, self.batch, self.align, self.channels = (
            prior,
            size,
            overlap,
            batch,
            align,
            channels,
        )
        self.sigmas: Sequence[float] = prior.sigmas
        self.cov: Covariance = getattr(prior, "cov", Identity())

    def degrade(self, x: Tensor, level: int, generator: Randomness = None, *, scale: float = 1.0) -> Tensor:
        """Hide x, (B, C, H, W), as the prior does it to a window of that size."""
        return self.prior.degrade(x, level, generator, scale=scale)

    def restore(self, y: Tensor, level: int, generator: Randomness = None) -> Tensor:
        """Estimate the clean images of y, (B, C, H, W), window by window."""
        streams = Streams.of(generator, len(y))
        here = streams.child(streams.draws)
        streams.draws += 1
        index, shape = here.index, y.shape
        if self.channels not in (None, shape[1]):
            if self.channels == 1:
                y = y.flatten(0, 1)[:, None]
                index = [i for i in index for _ in range(shape[1])]
            elif shape[1] == 1:
                y, level = self._coloured(y, level, here)
            else:
                raise ShapeError(f"A prior of images with {self.channels} channels was given {shape[1]}.")

        def ask(cut: Tensor, windows: int) -> Tensor:
            return self.prior.restore(cut, level, Streams(here.seed, index * windows))

        clean = blended(ask, y, self.size, overlap=self.overlap, batch=self.batch, align=self.align)
        return self._fitted(clean, shape)

    def _coloured(self, y: Tensor, level: int, streams: Streams) -> tuple[Tensor, int]:
        """A grey image in every channel, and the level of noise that it then has.

        The same noise in all channels would be a pattern to a prior of colour images. To y numbers are added whose sum over
        the channels is 0 and which make the noise of the channels independent; it is as if y had been their mean.
        """
        assert self.channels is not None
        more = self.channels**0.5 * self.sigmas[level - 1]
        white = streams.randn((len(y), self.channels, *y.shape[2:])).to(y)
        drawn = on_plane(self.cov, *y.shape[2:]).sqrt(white)
        return y + more * (drawn - drawn.mean(1, keepdim=True)), nearest_level(self.prior, more)

    def _fitted(self, clean: Tensor, shape: torch.Size) -> Tensor:
        """What the prior said, brought back to the images' channels."""
        return clean.mean(1, keepdim=True) if shape[1] == 1 != self.channels and self.channels else clean.reshape(shape)


def blended(
    ask: Callable[[Tensor, int], Tensor],
    y: Tensor,
    size: tuple[int, int],
    *,
    overlap: int,
    batch: int = 8,
    align: int = 1,
) -> Tensor:
    """What a function of images of one size says of images of any size: asked of windows, and blended.

    Args:
        ask: (windows, count) -> the same shape, (count B, C, *size): `count` windows of the B images, one window after
            another.
        y: (B, C, H, W).
        size: height and width of a window.
        overlap: pixels that neighbours share at least.
        batch: windows at a time, times B.
        align: windows begin at multiples of this.

    Returns:
        (B, C, H, W).

    Raises:
        ConfigError: the overlap leaves nothing of a window.
    """
    check_windows(size, overlap, batch, align)
    height, width = y.shape[2:]
    y = _mirrored(y, [_fitting(side, window, align) for side, window in zip((height, width), size, strict=True)])
    if y.shape[2:] == size:
        return ask(y, 1)[..., :height, :width]
    total, weights = torch.zeros_like(y), y.new_zeros(y.shape[2:])
    tops, lefts = (_starts(y.shape[2 + axis], size[axis], overlap, align) for axis in (0, 1))
    ramp = _ramp(y, size, overlap)
    for group in _groups([(top, left) for top in tops for left in lefts], max(1, batch // len(y))):
        cut = torch.cat([y[:, :, top : top + size[0], left : left + size[1]] for top, left in group])
        for (top, left), window in zip(group, ask(cut, len(group)).split(len(y)), strict=True):
            area = (..., slice(top, top + size[0]), slice(left, left + size[1]))
            total[area] += ramp * window
            weights[area] += ramp
    return (total / weights)[..., :height, :width]


def check_windows(size: tuple[int, int], overlap: int, batch: int, align: int) -> None:
    """Refuse windows that do not reach each other, or cannot move."""
    if min(batch, align) < 1 or not 0 <= overlap <= min(size) - align:
        raise ConfigError(
            f"Windows of {size[0]} x {size[1]} cannot overlap by {overlap} pixels, {batch} at a time, aligned to {align}; "
            "the overlap is 0 or more and leaves a side's `align`, and the others are 1 or more."
        )


def _starts(side: int, window: int, overlap: int, align: int) -> list[int]:
    """Where windows begin along a side: evenly spread, the first and the last at the borders."""
    room = (side - window) // align
    furthest = (window - overlap) // align  # that neighbours may be apart, in units of `align`
    count = -(-room // furthest)
    return [i * room // count * align for i in range(count + 1)] if count else [0]


def _fitting(side: int, window: int, align: int) -> int:
    """The length on which windows fit that begin where they may."""
    return window + -(-max(side - window, 0) // align) * align


def _ramp(y: Tensor, size: tuple[int, int], overlap: int) -> Tensor:
    """The weights of a window's pixels, rising from its borders over the overlap."""
    sides = []
    for side in size:
        inside = torch.arange(side, dtype=y.dtype, device=y.device) + 0.5
        sides.append((torch.minimum(inside, side - inside) / max(overlap, 1)).clamp(max=1))
    return sides[0][:, None] * sides[1]


def _mirrored(y: Tensor, size: Sequence[int]) -> Tensor:
    """y, continued below and to the right by its mirror image until it is no smaller than a size."""
    for axis, side in ((2, size[0]), (3, size[1])):
        while y.shape[axis] < side:
            more = min(side - y.shape[axis], y.shape[axis])
            y = torch.cat([y, y.flip(axis).narrow(axis, 0, more)], axis)
    return y


def _groups(places: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]
