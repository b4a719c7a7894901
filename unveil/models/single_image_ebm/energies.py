"""A pyramid of patch energies: the image they are of, and the chains that run down them."""

from collections.abc import Sequence
from itertools import count, pairwise
from typing import cast

import torch
from torch import Tensor, nn

from unveil.core.errors import ConfigError, DataError, RunError, ShapeError
from unveil.core.numbers import check_amount, check_whole
from unveil.core.protocols import Progress, Randomness
from unveil.core.random import Streams
from unveil.models.single_image_ebm.canvas import Walk, run
from unveil.models.single_image_ebm.corruption import Corruption, check_corruption, corrupted
from unveil.models.single_image_ebm.detail import add_detail, detail_ratio
from unveil.models.single_image_ebm.guard import Guard
from unveil.models.single_image_ebm.memory import memory_notes
from unveil.networks.patch_energy import PatchEnergy
from unveil.pyramids import image_pyramid, masked_pyramid, resize, scaled_sizes

Size = tuple[int, int]
GENTLE, SETTLED = 0.5, 1.5
"""Shares of the steps of training: what chains near to the image take, and those that start from noise, at scale 0."""
_FEWEST = 5  # pixels that the coarsest scale of an output has on its short side, at least
_SLACK = 1e-3
_OTHER, _LIKE = 4.0, 1.25


class EnergyPyramid(nn.Module):
    """What `SingleImageEBM` is made of: energies, the image at every scale, and chains at one scale or up all of them.

    Arguments, attributes and errors are those of `SingleImageEBM`, which adds how it is trained and used.
    """

    trained: Tensor
    holes: Tensor

    def __init__(
        self,
        energies: Sequence[PatchEnergy],
        sizes: Sequence[Size],
        *,
        chain: int = 30,
        finer_chain: int = 12,
        step_size: float = 0.1,
        noise: float = 0.01,
        recovery_weight: float = 1.0,
        clean_factor: float = 3.0,
        corruption: Corruption = "blur",
        bank: int = 32,
        finer_share: float = 0.3,
        detail_noise: float = 0.0,
        train_crop: int | None = None,
    ) -> None:
        super().__init__()
        if not energies or len(energies) != len(sizes):
            raise ShapeError(f"{len(energies)} energies were given for {len(sizes)} scales; give one a scale.")
        if any(a > b for low, high in pairwise(sizes) for a, b in zip(low, high, strict=True)):
            raise ShapeError(f"The sizes of the scales rise from the coarsest on; they are {list(sizes)}.")
        for name, value in (("chain", chain), ("finer_chain", finer_chain), ("bank", bank)):
            check_whole(name, value)
        amounts = {"step_size": step_size, "noise": noise, "detail_noise": detail_noise}
        for name, amount in (amounts | {"recovery_weight": recovery_weight, "clean_factor": clean_factor}).items():
            check_amount(name, amount)
        if step_size == 0 or finer_share <= 0:
            raise ConfigError(f"step_size={step_size} and finer_share={finer_share}: both must be above 0.")
        if train_crop is not None:
            check_whole("train_crop", train_crop, energies[0].field)
        check_corruption(corruption)
        self.energies = cast(list[PatchEnergy], nn.ModuleList(energies))
        self.sizes: list[Size] = [(int(h), int(w)) for h, w in sizes]
        self.chain, self.finer_chain, self.step_size, self.noise = chain, finer_chain, step_size, noise
        self.recovery_weight, self.clean_factor, self.detail_noise = recovery_weight, clean_factor, detail_noise
        self.corruption, self.bank = corruption, bank
        self.finer_share, self.train_crop = finer_share, train_crop
        self.channels = energies[0].channels
        self.shape = torch.Size((self.channels, *self.sizes[-1]))
        self.classes: int | None = None
        numbers = (sum(v.numel() for v in (*net.parameters(), *net.buffers())) for net in energies)
        self.guard = Guard(max(numbers))
        self.register_buffer("trained", torch.zeros((), dtype=torch.int64))
        self.register_buffer("holes", torch.zeros((), dtype=torch.bool))
        for scale, size in enumerate(self.sizes):
            self.register_buffer(f"image_{scale}", torch.zeros(1, self.channels, *size))
            self.register_buffer(f"known_{scale}", torch.ones(1, 1, *size))
        self._training = 0  # scales that can be used while one of them trains

    # -- what it knows ------------------------------------------------------------------------------------------------

    @property
    def scales(self) -> int:
        """How many scales there are."""
        return len(self.sizes)

    @property
    def finished(self) -> int:
        """How many scales are trained."""
        return int(self.trained)

    @property
    def pyramid(self) -> list[Tensor]:
        """The image at every scale, (1, C, h, w) each."""
        return [self.get_buffer(f"image_{scale}") for scale in range(self.scales)]

    @property
    def known(self) -> list[Tensor]:
        """Where the image is known at every scale, (1, 1, h, w) each, 0 in a hole."""
        return [self.get_buffer(f"known_{scale}") for scale in range(self.scales)]

    @property
    def has_hole(self) -> bool:
        """Whether the image has a hole."""
        return bool(self.holes)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.trained.device

    @torch.no_grad()
    def learn(self, image: Tensor, hole: Tensor | None = None) -> None:
        """Take up the image that the model is of, before it is trained.

        Args:
            image: (C, H, W) in [-1, 1].
            hole: (1, H, W), 1 where the image is not to be learned from; what it shows there has no influence.

        Raises:
            ShapeError: the image or the hole has another size than the last scale.
            DataError: the image is not finite, leaves [-1, 1], or shows nothing.
        """
        if image.shape != self.shape:
            raise ShapeError(
                f"This model is of an image of shape {tuple(self.shape)}; it was given {tuple(image.shape)}."
            )
        height, width = self.sizes[-1]
        if hole is not None and hole.shape != (1, height, width):
            raise ShapeError(f"The hole has shape {tuple(hole.shape)}; this image needs {(1, height, width)}.")
        x = image[None].to(self.device)
        known = torch.ones_like(x[:, :1]) if hole is None else 1 - hole[None].to(x)
        if bool(known.any()):
            seen = x[0][:, known[0, 0].bool()]
            if not bool(seen.isfinite().all()) or float(seen.abs().max()) > 1 + _SLACK:
                raise DataError("The image holds numbers that are not finite, or leave [-1, 1]; scale it there first.")
            if float(seen.std(1, correction=0).max()) < 1e-4:
                raise DataError("The image has one colour everywhere, so there is nothing to learn from it.")
        if hole is None:
            found = [(value, torch.ones_like(value[:, :1])) for value in image_pyramid(x, self.sizes)]
        else:
            found = masked_pyramid(x, known, self.sizes)
        self.holes.fill_(hole is not None and bool(hole.any()))
        for scale, (value, mask) in enumerate(found):
            self.pyramid[scale].copy_(value)
            self.known[scale].copy_(mask)

    @property
    def notes(self) -> list[str]:
        """What a user should know before this is trained."""
        return memory_notes(self)

    # -- chains -------------------------------------------------------------------------------------------------------

    def walk(self, scale: int, *, steps: int | None = None, noise: float = 0.0, tile: int | None = None) -> Walk:
        """How chains run at a scale."""
        usual = self.finer_chain if scale else self.chain
        return Walk(usual if steps is None else steps, self.step_size, noise, tile)

    def reach(self, scale: int) -> float:
        """How far a chain of a scale goes against a slope of 1."""
        walk = self.walk(scale)
        return walk.steps * walk.step_size / 2

    @torch.no_grad()
    def run(
        self,
        x: Tensor,
        scale: int,
        *,
        steps: int | None = None,
        noise: float = 0.0,
        generator: Randomness = None,
        known: tuple[Tensor, Tensor] | None = None,
        tile: int | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Run the chains of one scale from images (B, C, h, w) of any size.

        Args:
            x: where they start.
            scale: whose energy.
            steps: as many as in training when None; far more make the picture too sharp, and then drift.
            noise: standard deviation of what each step adds.
            generator: of the noise.
            known: values (1, C, h, w) and a mask (1, 1, h, w) of pixels that stay.
            tile: side of the tiles in which gradients are found; None chooses by the memory they take.
            progress: told (steps done, steps in all).
        """
        energy = self.energies[scale]
        was_training = energy.training
        energy.eval()
        try:
            walk = self.walk(scale, steps=steps, noise=noise, tile=tile)
            return run(energy, x, walk, generator=generator, known=known, watch=progress)
        finally:
            energy.train(was_training)

    def with_detail(self, x: Tensor, scale: int, streams: Streams, temperature: float = 1.0) -> Tensor:
        """Add what details are made from to the enlarged ends of the scale below, (B, C, h, w)."""
        if scale == 0 or not self.detail_noise * temperature:
            return x
        enlarged = resize(self.pyramid[scale - 1], self.sizes[scale])
        ratio = detail_ratio(self.pyramid[scale], enlarged, self.known[scale])
        return add_detail(x, temperature * self.detail_noise * ratio, streams)

    def climb(
        self,
        x: Tensor,
        scale: int,
        sizes: Sequence[Size],
        *,
        steps: int | None = None,
        gentle: bool = False,
        settle: bool = False,
        noise: float = 0.0,
        inject_noise: float = 0.0,
        temperature: float = 0.0,
        generator: Randomness = None,
        known: Sequence[tuple[Tensor, Tensor]] | None = None,
        tile: int | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Run chains at a scale and at all finer ones, each from the enlarged end of the one before.

        Args:
            x: where the chains of the first of these scales start, (B, C, h, w).
            scale: the first scale.
            sizes: of all scales, from the coarsest on; the last that is given is the size of the result.
            steps: of each chain; as in training when None.
            gentle: half of the steps at all scales but the coarsest, for chains that start near to the image: these
                pass it by in the rest.
            settle: half as many again at the coarsest scale, for chains that start from noise: less of it is left.
            noise: standard deviation of what each step adds.
            inject_noise: standard deviation of what is added to where the first chains start: grey, and enlarged from the
                scale below as they are.
            temperature: how much of `detail_noise` is added to every start above the coarsest scale, for details to be drawn
                from; 1 is as in training.
            generator: of all noise.
            known: for every scale, values and a mask of pixels that stay.
            tile: see `run`.
            progress: told (work done, work in all), counted in pixels.
        """
        check_amount("inject_noise", inject_noise)
        check_amount("temperature", temperature)
        streams = Streams.of(generator, len(x)) if noise or inject_noise or temperature else None
        fewer = max(1, round(GENTLE * self.finer_chain)) if gentle and steps is None else steps
        more = round(SETTLED * self.chain) if settle and steps is None else steps
        chains = [fewer if s else more for s in range(len(sizes))]
        costs = [h * w * self.walk(s, steps=chains[s]).steps for s, (h, w) in enumerate(sizes)]
        total = sum(costs[scale:])
        for s in range(scale, len(sizes)):
            if s > scale:
                x = resize(x, sizes[s]).clamp(-1, 1)
            elif inject_noise and streams is not None:
                moved = inject_noise * streams.randn((len(x), 1, *sizes[max(0, s - 1)])).to(x)
                x = (x + resize(moved, sizes[s])).clamp(-1, 1)
            if temperature and streams is not None:
                x = self.with_detail(x, s, streams, temperature)
            before, each = sum(costs[scale:s]), sizes[s][0] * sizes[s][1]
            x = self.run(
                x,
                s,
                steps=chains[s],
                noise=noise,
                generator=streams,
                known=None if known is None else known[s],
                tile=tile,
                progress=told(progress, before, each, total),
            )
        return x

    def sizes_for(self, size: Size | None = None) -> list[Size]:
        """The sizes of the scales that can be used, for an output of a size; their own without one.

        Raises:
            RunError: no scale is trained yet.
            ConfigError: the size is too small.
        """
        sizes = self.sizes[: self._usable()]
        if size is None:
            return sizes
        if len(size) != 2:
            raise ConfigError(f"A size is (height, width); it got {size}.")
        for name, side in (("height", size[0]), ("width", size[1])):
            check_whole(name, side)
        scaled = scaled_sizes(sizes, (int(size[0]), int(size[1])))
        if min(scaled[0]) < _FEWEST or min(size) < self.energies[0].field:
            field = self.energies[0].field
            least = [
                next(side for side in count(field) if round(low * side / top) >= _FEWEST)
                for low, top in zip(sizes[0], sizes[-1], strict=True)
            ]
            raise ConfigError(
                f"A picture of {size[0]} x {size[1]} (height x width) is too small for this model; the smallest it makes is "
                f"{least[0]} x {least[1]}."
            )
        return scaled

    def _usable(self) -> int:
        """How many scales can be used: those that are finished, and the one that trains."""
        usable = max(self.finished, self._training)
        if usable == 0:
            raise RunError(
                f"No scale of this model is trained yet, of {self.scales}; train the first one to its end to use it."
            )
        return usable

    def check_scale(self, scale: int, least: int = 0) -> None:
        """Refuse a scale that cannot be started at.

        Raises:
            ConfigError: the message tells which can.
            RunError: no scale is trained.
        """
        usable = self._usable()
        if isinstance(scale, bool) or not isinstance(scale, int) or not least <= scale < usable:
            unfinished = f" ({usable} of its {self.scales} scales are trained)" if usable < self.scales else ""
            raise ConfigError(
                f"Scale {scale!r} cannot be started at; this model takes {least} (freest) to {usable - 1} (nearest to what "
                f"it is given){unfinished}."
            )

    # -- what is looked at before -------------------------------------------------------------------------------------

    def _blurred(self, image: Tensor, scale: int, sizes: Sequence[Size]) -> Tensor:
        """An image as the chains of a scale know their starts: enlarged from the scale below."""
        if scale == 0:
            return corrupted(resize(image, sizes[0]).clamp(-1, 1), "blur")
        return resize(resize(image, sizes[scale - 1]).clamp(-1, 1), sizes[scale]).clamp(-1, 1)

    def _check_picture(self, image: Tensor, hole: Tensor | None = None) -> None:
        if image.ndim != 4 or image.shape[1] != self.channels:
            raise ShapeError(f"This model takes pictures (B, {self.channels}, H, W); it got {tuple(image.shape)}.")
        fine = image.abs() <= 1 + _SLACK  # false for what is not a number
        if not bool((fine if hole is None else fine | hole.to(image.device).bool()).all()):
            raise DataError("The picture holds numbers that are not finite, or leave [-1, 1]; scale it there first.")

    def _check_own(self, image: Tensor) -> None:
        """Refuse what can hardly be the image that the model knows."""
        (height, width), (tall, wide) = image.shape[-2:], self.sizes_for()[-1]
        stretch = (height / width) / (tall / wide)
        if not 1 / _LIKE < stretch < _LIKE:
            raise ConfigError(
                f"This model knows the patches of its own image, of {tall} x {wide} pixels, and one of {height} x {width} is "
                "another; to enlarge that, train a model on it."
            )
        if not 1 / _OTHER < height / tall < _OTHER:
            raise ConfigError(
                f"This model has learned its image at {tall} x {wide} pixels (height x width), and knows nothing of how "
                f"patches look at {height} x {width}; to enlarge that, train a model at a size near to it. Without an image "
                "it enlarges its own."
            )


def told(progress: Progress | None, before: int, each: int, total: int) -> Progress | None:
    """Progress of one chain as a part of more, counted in pixels."""
    return None if progress is None else lambda step, steps: progress(before + step * each, total)
