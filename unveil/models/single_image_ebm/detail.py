"""The noise that chains of the finer scales make into details: strong where the scale below has contrast."""

from torch import Tensor
from torch.nn import functional

from unveil.core.random import Streams

_AROUND = 5  # pixels; the side of the square in which contrast is measured


def local_contrast(x: Tensor) -> Tensor:
    """Standard deviation of the greys around every pixel, (B, C, H, W) -> (B, 1, H, W)."""
    grey = x.mean(1, keepdim=True)
    mean, square = (
        functional.avg_pool2d(part, _AROUND, 1, _AROUND // 2, count_include_pad=False) for part in (grey, grey.square())
    )
    return (square - mean.square()).clamp(min=0).sqrt()


def detail_ratio(image: Tensor, enlarged: Tensor, known: Tensor) -> Tensor:
    """What an image has more than the scale below it, beside the contrast of that: a ratio of root mean squares, ().

    Args:
        image: at some scale, (1, C, H, W).
        enlarged: that of the scale below, of the same size.
        known: 1 where the image is known, (1, 1, H, W).
    """
    missing = (image - enlarged).mean(1, keepdim=True)
    squares = [(part.square() * known).sum() for part in (missing, local_contrast(enlarged))]
    return (squares[0] / squares[1].clamp(min=1e-12)).sqrt()


def add_detail(x: Tensor, amount: Tensor, streams: Streams) -> Tensor:
    """Add grey noise to pictures (B, C, H, W) within [-1, 1], as strong as `amount` times their local contrast."""
    noise = streams.randn((len(x), 1, *x.shape[-2:])).to(x)
    return (x + amount * local_contrast(x) * noise).clamp(-1, 1)
