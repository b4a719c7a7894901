"""The picture that is edited, brought to the size that a model has learned, and its masks; and the way back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, max_pool2d

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.protocols import Progress
from unveil.data.masks import painted
from unveil.models.single_image_ebm.editing import blend, changed, match_colours, match_palette, palette, soft_mask
from unveil.operators import LUMA
from unveil.pyramids import resize
from unveil.tasks.edit_tasks import TASKS
from unveil.tasks.pictures import read_picture

_SAME = 1.04
"""Proportions that differ by less are taken for the same."""
_MOST, _MOST_FREE = 2.0, 8.0
"""Proportions that differ by more are refused; the second for tasks that any picture may be given to."""
_FREE = ("paint", "style")
_AGREED = 0.3
"""Difference, of 2, from which on nothing of the details of a large picture is kept."""
_ALIKE = 0.35
"""Median difference from the run's picture, in [0, 2], from which a picture is another one."""


@dataclass
class Canvas:
    """A picture to be edited.

    Attributes:
        model: of one picture.
        whole: the picture as it was given, with the model's channels, (C, H, W).
        small: the same at the size that is worked on, (C, h, w).
        name: what to call it.
        task: what is to be done with it.
        notes: what a user should know of it.
        progress: told how far enlarging to the picture's own size has come, which can take longer than the chains.
    """

    model: Any
    whole: Tensor
    small: Tensor
    name: str
    task: str
    notes: list[str] = field(default_factory=list)
    progress: Progress | None = None

    @classmethod
    def of(cls, model: Any, image: str | Path | Tensor | None, task: str, *, keep_size: bool = False) -> "Canvas":
        """Read a picture and bring it to the model's size; None takes the model's own picture.

        `keep_size` says whether the result will be enlarged again, and only changes what is noted.

        Raises:
            ConfigError: its proportions are quite other than those that the model knows.
            DataError: it is missing or damaged.
        """
        sizes = model.sizes_for()
        own = model.pyramid[len(sizes) - 1][0]
        notes = []
        if len(sizes) < len(model.sizes):
            notes.append(
                f"{len(sizes)} of the {len(model.sizes)} scales of this run are trained, so it works on pictures of "
                f"{_size(own)}."
            )
        if image is None:
            return cls(model, own, own, "the run's own picture", task, notes)
        whole, more = read_picture(image)
        name = "The picture" if isinstance(image, Tensor) else str(image)
        whole = _in_channels(whole.to(own), own.shape[0], name, notes)
        most = _MOST_FREE if task in _FREE else _MOST
        size = (own.shape[1], own.shape[2]) if task == "resize" else _fitted(whole, own, name, most)
        small = resize(whole[None], size)[0].clamp(-1, 1)
        if task != "super-resolve" and min(whole.shape[1] / size[0], whole.shape[2] / size[1]) > 1.5:
            again = ""
            if "keep_size" in TASKS[task].takes:
                again = (
                    " --keep-size enlarges the result again."
                    if not keep_size
                    else " What chains have redrawn is as fine as that, and is enlarged; a run that learns larger pictures "
                    "(data.longest) draws finer."
                )
            notes.append(
                f"{name} has {_size(whole)} pixels and was scaled down to {_size(small)}, the size that this run has "
                f"learned; the file itself stays as it is.{again}"
            )
        if task != "super-resolve" and max(whole.shape[1] / size[0], whole.shape[2] / size[1]) < 1 / 1.5:
            notes.append(
                f"{name} has {_size(whole)} pixels, fewer than this run has learned, and was enlarged to {_size(small)}; a "
                "larger one shows more of what is meant."
            )
        canvas = cls(model, whole, small, name, task, [*more, *notes])
        if task in ("super-resolve", "inpaint", "edit", "harmonize") and not canvas._like():
            canvas.notes.append(
                f"{name} does not look like the picture that this run has learned, and the run knows no other; for another "
                "picture train another run."
            )
        return canvas

    @property
    def own(self) -> Tensor:
        """The model's picture at the size that is worked on."""
        return resize(self.model.pyramid[len(self.model.sizes_for()) - 1], self.small.shape[1:])[0]

    def check_own(self) -> None:
        """Refuse another picture than the model's, and tell of changes to it, which are not heeded.

        Raises:
            ConfigError: it is another.
        """
        if not self._like():
            raise ConfigError(
                f"{self.name} is not the picture that this run has learned, and it can set only that one in motion: train "
                "another run on it, or leave the picture out."
            )
        if bool(changed(self.small, self.own).any()):
            self.notes.append(
                f"{self.name} differs in places from the picture that this run has learned, which is the one that moves; "
                "what was changed is not in the clip."
            )

    def matched(self, colours: int) -> Tensor:
        """The picture in the colours of the model's own; 0 leaves its colours."""
        return match_palette(self.small, palette(self.own, colours)) if colours else self.small

    def recoloured(self) -> Tensor:
        """The picture with the mean colour of the model's own, and colours as far from it."""
        return match_colours(self.small, self.own)

    def blended(
        self, made: Tensor, mask: str | Path | Tensor | None, *, grow: float, sigma: float, keep_size: bool
    ) -> Tensor:
        """Keep of what was made the surroundings of a mask; the rest is the picture as it was given.

        Args:
            made: (n, C, h, w).
            mask: of the picture; None finds what was changed.
            grow: by how many pixels the mask grows.
            sigma: in pixels, of its soft edge.
            keep_size: at the size of the picture that was given.
        """
        marked = self._found() if mask is None else self._small_mask(self._mask(mask))
        soft = soft_mask(marked, grow, sigma)
        if not keep_size:
            return blend(made, self.small.expand_as(made), soft)
        large = self._detailed(made, marked)
        soft = resize(soft[None, None], large.shape[-2:])[0, 0].clamp(0, 1)
        return blend(large, self._as_large(large).expand_as(large), soft)

    def hole(self, mask: str | Path | Tensor | None) -> Tensor:
        """The hole at the size that is worked on, (h, w), 1 in it.

        Raises:
            ConfigError: there is none.
        """
        if mask is not None:
            if not self.model.has_hole:
                self.notes.append(
                    "This run has learned the whole picture, also what lies in the hole; to fill what nobody has seen, train "
                    "with the mask: data.hole=FILE."
                )
            return self._small_mask(self._mask(mask))
        if not self.model.has_hole:
            raise ConfigError(
                "The task inpaint needs a mask, white where the picture is to be filled: this run was trained without one."
            )
        known = self.model.known[len(self.model.sizes_for()) - 1]
        if known.shape[-2:] != self.small.shape[1:]:
            raise ConfigError(
                f"{self.name} has other proportions than the hole that this run was trained with; give a mask."
            )
        return 1 - known[0, 0]

    def restored(self, made: Tensor, hole: Tensor, *, keep_size: bool) -> Tensor:
        """What was filled, at the size of the picture if that is to be kept: only the hole is new."""
        if not keep_size:
            return made
        large = self.enlarged(made)
        soft = (resize(hole[None, None], large.shape[-2:])[0, 0] > 0.01).float()
        return blend(large, self._as_large(large).expand_as(large), soft)

    def enlarged(self, made: Tensor) -> Tensor:
        """Bring what was made, (n, C, h, w), to the size of the picture where that is larger."""
        size = self.whole.shape[1:]
        factor = max(side / had for side, had in zip(size, made.shape[-2:], strict=True))
        if factor <= 1:
            return made
        return resize(self.model.super_resolve(made, factor, progress=self.progress), size).clamp(-1, 1)

    def _detailed(self, made: Tensor, marked: Tensor) -> Tensor:
        """The same, with the details that the picture has at its size wherever the chains have left it nearly as it was.

        Along the edge of the mask there are none, for there lies the seam.
        """
        large = self.enlarged(made)
        given = self._as_large(large)
        details = given - resize(self.small[None], large.shape[-2:])[0]
        agreed = (1 - (made - self.small).abs().amax(1, keepdim=True) / _AGREED).clamp(0, 1)
        inside, outside = (max_pool2d(part[None, None], 5, stride=1, padding=2) for part in (marked, 1 - marked))
        agreed = agreed * (1 - inside * outside)
        return (large + resize(agreed, large.shape[-2:]).clamp(0, 1) * details).clamp(-1, 1)

    def _as_large(self, large: Tensor) -> Tensor:
        return resize(self.whole[None], large.shape[-2:])[0].clamp(-1, 1)

    def _like(self) -> bool:
        """Whether the picture can be the model's own, edited in places: the median of its differences is small."""
        difference = (self.small - self.own).abs().amax(0)
        known = resize(self.model.known[len(self.model.sizes_for()) - 1], self.small.shape[1:])[0, 0] > 0.5
        return bool(difference[known].median() < _ALIKE)

    def _found(self) -> Tensor:
        marked = changed(self.small, self.own)
        share = float(marked.mean())
        if not 0 < share < 0.6:
            what = "differs nowhere" if share == 0 else "differs nearly everywhere"
            raise ConfigError(
                f"{self.name} {what} from the picture that this run has learned, so what was changed cannot be found; give a "
                "mask, white where it was."
            )
        return marked

    def _mask(self, mask: str | Path | Tensor) -> Tensor:
        """A mask as it was given, (H, W) of 0 and 1."""
        from unveil.data.decoding import inspect_image, load_image

        if isinstance(mask, Tensor):
            values, name = mask.squeeze(0).float() if mask.ndim == 3 else mask.float(), "The mask"
        else:
            values, name = (load_image(mask, 1, behind="black")[0] + 1) / 2, f"The mask {mask}"
        size = self.whole.shape[1:]
        of_file = self.whole is self.small and _shows_more(values, *size)  # of the file that the run was trained on
        if values.shape != size and not of_file:
            hint = " Without a picture that is the one the run has learned: give the picture too."
            hint = hint if self.whole is self.small else ""
            raise ShapeError(
                f"{name} has {'x'.join(map(str, reversed(values.shape)))} pixels and the picture {size[1]}x{size[0]} (width x "
                f"height); a mask has the size of its picture.{hint}"
            )
        marked = painted(values, name).to(self.whole)
        if not bool(marked.any()) or bool(marked.all()):
            marks = "everything" if bool(marked.all()) else "nothing"
            clear = isinstance(mask, str | Path) and inspect_image(mask).transparent
            hint = " It is transparent in places, and those count as black." if clear else ""
            raise ConfigError(f"{name} marks {marks}: paint white what is meant, and no more.{hint}")
        return _marked(marked, *size)

    def _small_mask(self, marked: Tensor) -> Tensor:
        """The mask at the size that is worked on."""
        return _marked(marked, *self.small.shape[1:])


def _marked(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask (H, W) of 0 and 1 at another size: 1 wherever something of it falls, be it a speck."""
    spread = resize(mask[None, None], (height, width))[0, 0] > 0.05
    if mask.shape[0] >= height and mask.shape[1] >= width:
        spread |= adaptive_max_pool2d(mask[None], (height, width))[0] > 0
    return spread.to(mask)


def _shows_more(mask: Tensor, height: int, width: int) -> bool:
    """Whether a mask is of a picture that is larger, and of the same proportions."""
    if mask.ndim != 2 or mask.shape[0] < height or mask.shape[1] < width:
        return False
    return 1 / _SAME < (mask.shape[0] / mask.shape[1]) / (height / width) < _SAME


def _fitted(whole: Tensor, own: Tensor, name: str, most: float) -> tuple[int, int]:
    """The size at which a picture is worked on: as many pixels as the model's picture has, in its own proportions."""
    (height, width), (tall, wide) = whole.shape[1:], own.shape[1:]
    stretch = (height / width) / (tall / wide)
    if 1 / _SAME < stretch < _SAME:
        return tall, wide
    if not 1 / most <= stretch <= most:
        raise ConfigError(
            f"{name} has {width} x {height} pixels, and this run has learned a picture of {wide} x {tall}: the proportions "
            "are too different. Cut the picture, or train on one of its shape."
        )
    return round(tall * stretch**0.5), round(wide / stretch**0.5)


def _in_channels(whole: Tensor, channels: int, name: str, notes: list[str]) -> Tensor:
    if len(whole) == channels:
        return whole
    if channels == 3:
        return whole.expand(3, -1, -1).clone()
    notes.append(f"{name} has colours, which this run of a grey picture does not know; they were left out.")
    return (whole * torch.tensor(LUMA).to(whole).view(3, 1, 1)).sum(0, keepdim=True)


def _size(picture: Tensor) -> str:
    return f"{picture.shape[2]} x {picture.shape[1]}"
