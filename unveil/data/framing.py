"""How a picture of any size becomes one of the size asked for: resampled first, then cropped."""

from dataclasses import dataclass
from typing import Literal

from unveil.core.errors import ConfigError, DataError

Crop = Literal["center", "random", "none"]


@dataclass(frozen=True)
class Frame:
    """The size that pictures are brought to, and how.

    Attributes:
        size: (height, width) in pixels; None leaves pictures as they are.
        crop: "center" or "random" cut the size out of a picture that covers it; "none" cuts nothing: the picture is
            resampled to exactly the size, whatever its proportions.
        resize: before a crop, True shrinks a picture until it just covers the size, a number shrinks its short side to
            that many pixels, and False keeps its own pixels.
        upsample: whether a picture smaller than the size may be enlarged; otherwise it is an error.
    """

    size: tuple[int, int] | None = None
    crop: Crop = "center"
    resize: int | bool = True
    upsample: bool = False

    def __post_init__(self) -> None:
        if self.crop not in ("center", "random", "none"):
            raise ConfigError(f"crop {self.crop!r} is not known; take center, random or none.")
        if self.size is not None and min(self.size) < 1:
            raise ConfigError(f"size {self.size} cannot be; give a height and a width of at least one pixel.")
        if self.size is None and self.crop == "random":
            raise ConfigError("Random crops need a size, such as 64 for squares; give one, or take another crop.")
        if not isinstance(self.resize, bool) and self.resize < 1:
            raise ConfigError(f"resize {self.resize} cannot be; give the short side in pixels, true or false.")

    def resampled(self, height: int, width: int, name: str) -> tuple[int, int]:
        """Give the height and width to which a picture is resampled before it is cropped.

        Raises:
            DataError: the picture, called `name`, is smaller than the size.
        """
        if self.size is None or (height, width) == self.size:
            return height, width
        tall, wide = self.size
        cover = max(tall / height, wide / width)
        if cover > 1 and not self.upsample:
            raise DataError(
                f"{name} is {height}x{width} pixels (height x width), smaller than the {tall}x{wide} asked for. "
                "Give a smaller size, or none, or let smaller pictures be enlarged: upsample=True, in a recipe "
                "data.upsample=true."
            )
        if self.crop == "none":
            return tall, wide
        if self.resize is True:
            scale = cover
        elif self.resize is False:
            scale = max(cover, 1.0)
        else:
            short = self.resize / min(height, width)
            scale = max(cover, short if self.upsample else min(short, 1.0))
        return max(tall, round(height * scale)), max(wide, round(width * scale))

    def kept(self, height: int, width: int) -> tuple[slice, slice]:
        """Give the rows and columns of a resampled picture that are stored: the centre, or all if crops are random."""
        if self.size is None or self.crop != "center":
            return slice(0, height), slice(0, width)
        tall, wide = self.size
        top, left = (height - tall) // 2, (width - wide) // 2
        return slice(top, top + tall), slice(left, left + wide)

    def stored(self) -> str:
        """Name everything that decides which pixels are stored: two frames of one name store the same."""
        centred = self.crop == "center"
        return f"size={self.size if self.size else 'own'} centred={centred} resize={self.resize!r} " + (
            f"stretched={self.crop == 'none'} upsample={self.upsample}"
        )
