"""What energies of one image are used for: samples of any size, pictures changed, filled, enlarged and set in motion."""

from typing import Any, Literal, cast

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.numbers import check_amount, check_whole
from unveil.core.protocols import Progress, Randomness
from unveil.core.random import Streams
from unveil.models.single_image_ebm.animation import recovery_field
from unveil.models.single_image_ebm.corruption import corrupted
from unveil.models.single_image_ebm.editing import blend
from unveil.models.single_image_ebm.energies import EnergyPyramid, Size, told
from unveil.models.single_image_ebm.starts import first_noise
from unveil.models.single_image_ebm.super_resolution import growing_sizes, project_back
from unveil.pyramids import masked_resize, resize


class UsablePyramid(EnergyPyramid):
    """An energy pyramid and what its chains make, from noise or from pictures; see `SingleImageEBM`."""

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        size: Size | None = None,
        start_scale: int = 0,
        generator: Randomness = None,
        steps: int | None = None,
        noise: float = 0.0,
        inject_noise: float | None = None,
        temperature: float = 1.0,
        tile: int | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Draw pictures that look like the image rearranged.

        Args:
            n: how many.
            size: (height, width) of the result; the image's own when None.
            start_scale: 0 starts from noise; a higher one starts there from the image itself, so that its layout is kept
                and its texture drawn anew.
            generator: one stream per sample is drawn from it, so a sample does not depend on its batch.
            steps: of each chain; when None as in training, and half as many again from noise at scale 0.
            noise: standard deviation of what each step adds; without any a sample is a plain function of its start.
            inject_noise: standard deviation of what is added to the start; None adds nothing to samples that start from
                noise, and 0.2 to those that start from the image, which would otherwise be all alike.
            temperature: how much of the model's `detail_noise` samples have; below 1 they are smoother.
            tile: side of the tiles in which gradients are found; None chooses by the memory they take.
            progress: told (work done, work in all).

        Returns:
            (n, C, *size) in [-1, 1].

        Raises:
            RunError: no scale is trained.
            ConfigError: a size or a scale that cannot be.
        """
        check_whole("n", n, 0)
        sizes = self.sizes_for(size)
        self.check_scale(start_scale)
        if inject_noise is None:
            inject_noise = 0.2 if start_scale else 0.0
        if n == 0:
            return torch.empty(0, self.channels, *sizes[-1], device=self.device)
        streams = Streams.of(generator, n)
        if start_scale == 0:
            x = first_noise(n, self, sizes[0], streams)
        else:
            x = self._blurred(self.pyramid[len(sizes) - 1], start_scale, sizes).expand(n, -1, -1, -1)
        return self.climb(
            x,
            start_scale,
            sizes,
            steps=steps,
            settle=start_scale == 0,
            noise=noise,
            inject_noise=inject_noise,
            temperature=temperature,
            generator=streams,
            tile=tile,
            progress=progress,
        )

    @torch.no_grad()
    def recover(self, start_scale: int = 0) -> Tensor:
        """Bring the image back from what a scale leaves of it, (1, C, h, w): the nearer, the better the model.

        From scale 0 the start is the spoiled image of the coarsest scale, from a higher one the enlarged image of the scale
        below.
        """
        self.check_scale(start_scale)
        sizes = self.sizes_for()
        if start_scale == 0:
            x = corrupted(self.pyramid[0], self.corruption)
        else:
            x = resize(self.pyramid[start_scale - 1], sizes[start_scale]).clamp(-1, 1)
        return self.climb(x, start_scale, sizes, gentle=True)

    @torch.no_grad()
    def inject(
        self,
        image: Tensor,
        scale: int | Literal["all"],
        *,
        mask: Tensor | None = None,
        steps: int | None = None,
        gentle: bool = False,
        noise: float = 0.0,
        inject_noise: float = 0.0,
        temperature: float = 1.0,
        generator: Randomness = None,
        size: Size | None = None,
        tile: int | None = None,
        progress: Progress | None = None,
    ) -> Tensor | list[Tensor]:
        """Make pictures into others that have the patches of the image, from a scale on.

        A picture is first shrunk to the scale below, so that the details which the model is to invent are gone.

        Args:
            image: (B, C, H, W) in [-1, 1], of any size.
            scale: 1 is freest, the last nearest to what it is given; 0 keeps next to nothing. "all" gives a list, one from
                every scale but 0.
            mask: (B or 1, 1, H, W) in [0, 1], how much of the result is taken, the rest being the picture itself, which
                where the mask is 0 stays as it is, bit by bit. Of the size of the picture, or of the result.
            steps: of each chain; as in training when None.
            gentle: half as many at all scales but the coarsest, for pictures that are the image but for some places: longer
                chains pass it by.
            noise: standard deviation of what each step adds.
            inject_noise: standard deviation of what is added to the start, grey and as smooth as the scale below.
            temperature: how much of the model's `detail_noise` is added too, where `inject_noise` is above 0.
            generator: of the noise.
            size: (height, width) of the result; the model's own when None.
            tile: see `run`.
            progress: told (work done, work in all).

        Raises:
            ConfigError: a scale that cannot be; the message tells which can.
            DataError: a picture that is not finite, or leaves [-1, 1].
            ShapeError: a picture with other channels, or a mask of another size.
        """
        self._check_picture(image)
        if scale == "all":
            options: dict[str, Any] = {
                "mask": mask,
                "steps": steps,
                "gentle": gentle,
                "noise": noise,
                "inject_noise": inject_noise,
                "temperature": temperature,
                "size": size,
            }
            options |= {"generator": generator, "tile": tile, "progress": progress}
            return [cast(Tensor, self.inject(image, each, **options)) for each in range(1, self._usable())]
        self.check_scale(scale)
        sizes = self.sizes_for(size)
        image = image.to(self.device, torch.float32)
        out = self.climb(
            self._blurred(image, scale, sizes),
            scale,
            sizes,
            steps=steps,
            gentle=gentle,
            noise=noise,
            inject_noise=inject_noise,
            temperature=temperature if inject_noise else 0.0,
            generator=generator,
            tile=tile,
            progress=progress,
        )
        return out if mask is None else self._blended(out, image, mask)

    @torch.no_grad()
    def super_resolve(
        self,
        image: Tensor | None = None,
        factor: float = 2.0,
        *,
        steps: int = 2,
        net_index: int = -1,
        ratio: float | None = None,
        back_project: bool = True,
        tile: int | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Enlarge the image that the model was trained on: a little, some steps of a fine energy, and again.

        Args:
            image: (B, C, H, W) in [-1, 1]: the image itself, or one made from it, such as a sample; the image when None.
            factor: above 1; the result has exactly the sides times this, rounded.
            steps: of the chain after each enlargement; more sharpen further and lose likeness.
            net_index: which energy: -1 for the finest.
            ratio: how much smaller each picture is than the next, about; that of the two finest scales when None.
            back_project: whether each result, shrunk again, is made to agree with the image.
            tile: see `run`.
            progress: told (work done, work in all).

        Raises:
            ConfigError: a factor of 1 or less, an energy that there is not, or an image of quite another size than the
                model's.
            DataError: an image that is not finite, or leaves [-1, 1].
        """
        usable = self._usable()
        image = self.pyramid[usable - 1] if image is None else image.to(self.device, torch.float32)
        self._check_picture(image)
        self._check_own(image)
        if not -usable <= net_index < usable:
            raise ConfigError(f"net_index={net_index} names no trained energy; take {-usable} to {usable - 1}.")
        if ratio is None:
            ratio = min(0.9, self.sizes[usable - 2][0] / self.sizes[usable - 1][0]) if usable > 1 else 0.75
        sizes = growing_sizes((image.shape[-2], image.shape[-1]), factor, ratio)
        x, scale, done = image, net_index % usable, 0
        total = steps * sum(h * w for h, w in sizes)
        for h, w in sizes:
            heard = told(progress, done, h * w, total)
            x = self.run(resize(x, (h, w)).clamp(-1, 1), scale, steps=steps, tile=tile, progress=heard)
            if back_project:
                x = project_back(x, image)
            done += steps * h * w
        return x

    @torch.no_grad()
    def inpaint(
        self,
        image: Tensor,
        mask: Tensor,
        *,
        n: int = 1,
        generator: Randomness = None,
        steps: int | None = None,
        noise: float = 0.0,
        start_scale: int = 0,
        tile: int | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Fill a hole, each time otherwise; known pixels stay as they are at every scale.

        Train the model on the image with the same hole: it learns from what is known alone.

        Args:
            image: (1, C, H, W) in [-1, 1], of any size; what it shows in the hole has no influence.
            mask: (1, 1, H, W), 1 in the hole and 0 elsewhere.
            n: how many fillings.
            generator: one stream per filling is drawn from it.
            steps: of each chain; when None as in training at scale 0, and half as many again from noise, but half as many at
                finer ones, where more of them draw dark lines along the edge of the hole.
            noise: standard deviation of what each step adds.
            start_scale: 0 begins with noise in the hole; a higher one with the mean colours around it.
            tile: see `run`.
            progress: told (work done, work in all).

        Returns:
            (n, C, H, W).

        Raises:
            DataError: what is known is not finite, or leaves [-1, 1].
            ShapeError: a mask of another size, or a picture with other channels.
        """
        if image.ndim != 4 or image.shape[0] != 1 or mask.shape != (1, 1, *image.shape[-2:]):
            raise ShapeError(
                f"To fill a hole, give one image (1, C, H, W) and a mask (1, 1, H, W) of its size; they have shapes "
                f"{tuple(image.shape)} and {tuple(mask.shape)}."
            )
        self._check_picture(image, mask)
        check_whole("n", n)
        self.check_scale(start_scale)
        image = image.to(self.trained.device, torch.float32)
        sizes = self.sizes_for((image.shape[-2], image.shape[-1]))
        known = 1 - mask.to(image)
        pieces = [masked_resize(image, known, size) for size in sizes]
        streams = Streams.of(generator, n)
        if start_scale == 0:
            x = first_noise(n, self, sizes[0], streams)
        else:
            x = resize(pieces[start_scale - 1][0], sizes[start_scale]).clamp(-1, 1).expand(n, -1, -1, -1)
        return self.climb(
            x,
            start_scale,
            sizes,
            steps=steps,
            gentle=True,
            settle=start_scale == 0,
            noise=noise,
            temperature=1.0,
            generator=streams,
            known=pieces,
            tile=tile,
            progress=progress,
        )

    @torch.no_grad()
    def animate(
        self,
        frames: int,
        *,
        start_scale: int = 0,
        strength: float = 0.3,
        pull: float = 0.1,
        smoothness: float = 0.9,
        generator: Randomness = None,
        size: Size | None = None,
        tile: int | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Set the image in motion: a field that wanders around zero is added to where the recovery starts.

        Args:
            frames: how many.
            start_scale: where the field is added; coarser moves larger things.
            strength: its standard deviation.
            pull: how strongly it is drawn back to the image.
            smoothness: how much of its motion lasts to the next frame, below 1; less flickers.
            generator: of the field.
            size: (height, width) of the frames; the image's own when None.
            tile: see `run`.
            progress: told (work done, work in all).

        Returns:
            (frames, C, *size) in [-1, 1].
        """
        self.check_scale(start_scale)
        check_whole("frames", frames)
        check_amount("strength", strength)
        sizes = self.sizes_for(size)
        if start_scale == 0:
            start = resize(corrupted(self.pyramid[0], self.corruption), sizes[0])
        else:
            start = self._blurred(self.pyramid[len(sizes) - 1], start_scale, sizes)
        coarse = sizes[max(0, start_scale - 1)]  # no chain has learned to mend anything finer
        field = recovery_field(frames, coarse, pull=pull, smoothness=smoothness, generator=generator)
        x = (start + strength * resize(field.to(start), sizes[start_scale])).clamp(-1, 1)
        return self.climb(x, start_scale, sizes, gentle=True, tile=tile, progress=progress)

    def _blended(self, out: Tensor, image: Tensor, mask: Tensor) -> Tensor:
        """The result where the mask is 1, the picture at its size where it is 0, bit by bit."""
        size = out.shape[-2:]
        fits = mask.ndim == 4 and len(mask) in (1, len(image)) and mask.shape[1] == 1
        if not fits or mask.shape[-2:] not in (image.shape[-2:], size):
            raise ShapeError(
                f"The mask has shape {tuple(mask.shape)}; this picture needs (1, 1, {image.shape[-2]}, {image.shape[-1]})."
            )
        whole = resize(image, size).clamp(-1, 1)
        return blend(out, whole, resize(mask.to(whole), size).clamp(0, 1))
