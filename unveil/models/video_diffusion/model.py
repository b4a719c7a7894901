"""Masked conditional video diffusion.

A diffusion of blocks of frames whose network is also told the frames before and after the block. In training either group
is masked at random, so one set of weights predicts, recalls, interpolates and generates.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Progress, Randomness
from unveil.core.random import Streams
from unveil.inverse import DenoiserPrior
from unveil.models.video_diffusion.autoregression import (
    Block,
    Portions,
    at_level,
    backwards,
    between,
    blocks_for,
    forwards,
)
from unveil.models.video_diffusion.folding import unfold
from unveil.models.video_diffusion.given import check_pairs, checked_range, checked_shape, lengthened
from unveil.models.video_diffusion.layout import Task
from unveil.models.video_diffusion.learning import LearningClips
from unveil.models.video_diffusion.legacy import denoise_once_more
from unveil.models.video_diffusion.told import Told, known_frames


class VideoDiffusion(LearningClips):
    """A diffusion of blocks of k frames, told p frames of the past and f of the future, or some or none of these.

    Videos are (B, T, C, H, W) in [-1, 1], or uint8. A masked frame is zero, the grey in the middle. What this model's
    methods take as `walk` is what `Diffusion.sample` takes: steps, sampler, clip, temperature, spacing, eta and so on.

    Args:
        net: (x, t, known, label=, prepared=, steering=) -> prediction. x are the noisy frames side by side,
            (B, k C, H, W), and so is the prediction; t are times (B,); `known` are the frames of past and future side by
            side, (B, (p + f) C, H, W), or with a first axis of 1 where they are the same for all samples; where frames are
            masked one by one, p + f channels follow that are 1 for a kept frame and 0 for a masked one. `label` is the
            level of the spacing, (B,), where there are levels. A method `prepare(known)` is called once for all the steps
            of a block, and every call is given what it made as `prepared`; `steering` is as for `Diffusion`.
        schedule: t -> (alpha, sigma).
        shape: of a frame, (C, H, W).
        layout: the frames of a block, those around it, and how these are masked in training.
        cov: covariance of the noise on each frame, or on each plane of its codes.
        codec: in whose codes frames are diffused, as numbers on a line; one that is not fitted is fitted to the data. Then
            `x` and `known` above are codes, of `planes` channels, and so are the sides of the noise. Samples are decoded.
        options: of the diffusion of a block, such as predict; see `Diffusion`.

    Raises:
        ConfigError: an argument cannot work.

    Source: Voleti et al. (2022), arXiv:2205.09853. Frames that are masked one by one, and videos of which first a few
    frames are made and then those between, are ours.
    """

    @torch.no_grad()
    def sample_block(
        self,
        past: Tensor | None = None,
        future: Tensor | None = None,
        *,
        batch: int = 1,
        level: int = 0,
        generator: Randomness = None,
        progress: Progress | None = None,
        cached: bool = True,
        legacy_final_denoise: bool = False,
        **walk: Any,
    ) -> Tensor:
        """Draw a block of k frames between others.

        Args:
            past: the frames before it, (B, p or more, C, H, W), of which the last p are looked at, or None for a masked
                past. Where frames are masked one by one, fewer will do: they are those next to the block.
            future: the frames after it, (B, f or more, C, H, W), of which the first f are looked at, or None, likewise.
            batch: how many blocks, where neither is given.
            level: the frames are (k + 1)^level apart.
            generator: one stream per sample is drawn from it.
            progress: told (steps done, steps in all).
            cached: prepare the known frames once for all steps, which takes memory, most of all with SPATIN.
            legacy_final_denoise: after the last step, do what the authors' released code does; see `denoise_once_more`.
            walk: what else `Diffusion.sample` takes.

        Returns:
            (B, k, C, H, W) in [-1, 1].

        Raises:
            ConfigError: the model was not trained for this.
            ShapeError, DataError: the frames do not fit, or are no numbers in [-1, 1].
        """
        told, n = self._told(past, future, level, walk, batch=batch, cached=cached)
        x = self.diffusion.sample(n, net=told, generator=generator, progress=progress, **walk)
        if legacy_final_denoise:
            x = denoise_once_more(self.diffusion, told, x, **walk)
        return self.to_frames(unfold(x, self.k))

    def prior(
        self, past: Tensor | None = None, future: Tensor | None = None, *, level: int = 0, **levels: Any
    ) -> DenoiserPrior:
        """A prior for inverse problems: blocks of frames side by side, (B, k C, H, W), as `fold` lays them.

        Args:
            past: as for `sample_block`, as many as there are blocks.
            future: likewise.
            level: the frames are (k + 1)^level apart.
            levels: what else `DenoiserPrior` takes.

        Raises:
            ConfigError: the model was not trained for this, or it diffuses codes, of which nothing is measured.
            ShapeError, DataError: the frames do not fit, or are no numbers in [-1, 1].
        """
        if self.space is not None:
            raise ConfigError(
                "This model denoises the codes of frames, and solvers ask for frames; train one without codec."
            )
        return self.diffusion.prior(net=self._told(past, future, level, {})[0], **levels)

    def _told(
        self,
        past: Tensor | None,
        future: Tensor | None,
        level: int,
        walk: Mapping[str, Any],
        *,
        batch: int = 1,
        cached: bool = True,
    ) -> tuple[Told, int]:
        """The network, told the frames around blocks, and how many blocks these are."""
        task: Task = (
            "generate"
            if past is future is None
            else "past"
            if past is None
            else "predict"
            if future is None
            else "interpolate"
        )
        self.layout.check(task)
        self.layout.check_level(level)
        if past is not None:
            past = self._enough(past, "past", walk)[:, -self.p :]
        if future is not None:
            future = self._enough(future, "future", walk)[:, : self.f]
        if past is not None and future is not None:
            check_pairs(past, future)
        around = [None if frames is None else self.to_states(frames) for frames in (past, future)]
        known = known_frames(self.layout, around[0], around[1], self.state_shape).to(self.device)
        n = next((len(frames) for frames in (past, future) if frames is not None), batch)
        known = known.to(next((parameter.dtype for parameter in self.net.parameters()), known.dtype))
        told = Told(self.net, known, level if self.layout.levels else None)
        prepare: Callable[[Tensor], tuple[Tensor, ...]] | None = getattr(self.net, "prepare", None)
        if cached and prepare is not None:
            told = Told(self.net, known, told.level, prepare(known))
        return told, n

    # -- videos -----------------------------------------------------------------------------------------------------

    def predict(
        self, past: Tensor, n: int, *, pad: bool = False, trajectories: int | None = None, **walk: Any
    ) -> Tensor:
        """The n frames after a past, block after block.

        Args:
            past: (B, p or more, C, H, W), of which the last p are looked at.
            n: how many frames.
            pad: repeat the first frame where there are fewer than p.
            trajectories: how many futures of each past to draw; None for one, without an axis for it.
            walk: as for `sample_block`; `progress` is told of the steps of all blocks.

        Returns:
            (B, n, C, H, W), or (B, trajectories, n, C, H, W).

        Raises:
            ConfigError: the model was not trained to predict, or a number cannot be.
            ShapeError, DataError: the frames do not fit, or are no numbers in [-1, 1].
        """
        self.layout.check("predict")
        past = self._enough(past, "past", walk, pad=pad)
        return self._in_blocks(past, n, trajectories, walk, lambda block, x: forwards(block, x, n, self.p))

    def predict_past(
        self, future: Tensor, n: int, *, pad: bool = False, trajectories: int | None = None, **walk: Any
    ) -> Tensor:
        """The n frames before a future, (B, f or more, C, H, W), block before block; all else is as for `predict`."""
        self.layout.check("past")
        future = self._enough(future, "future", walk, pad=pad)
        return self._in_blocks(future, n, trajectories, walk, lambda block, x: backwards(block, x, n, self.f))

    def generate(self, batch: int, n: int | None = None, **walk: Any) -> Tensor:
        """Videos of n frames from nothing, (batch, n, C, H, W); one block where n is None."""
        self.layout.check("generate")
        check_whole("batch", batch, least=0)
        n = self.k if n is None else n
        check_whole("n", n)
        self.layout.check_continues(n)
        return self._in_blocks(None, n, None, walk, lambda block, _: forwards(block, None, n, self.p), batch=batch)

    def interpolate(self, past: Tensor, future: Tensor, *, trajectories: int | None = None, **walk: Any) -> Tensor:
        """The k frames between a past, (B, p or more, C, H, W), and a future, (B, f or more, C, H, W).

        Returns:
            (B, k, C, H, W), or (B, trajectories, k, C, H, W).
        """
        self.layout.check("interpolate")
        past = self._enough(past, "past", walk)[:, -self.p :]
        future = self._enough(future, "future", walk)[:, : self.f]
        check_pairs(past, future)

        def fill(block: Block, both: Tensor) -> Tensor:
            return block(both[:, : past.shape[1]], both[:, past.shape[1] :])

        return self._in_blocks(torch.cat([past, future], dim=1), self.k, trajectories, walk, fill)

    def long_video(
        self,
        n: int,
        *,
        past: Tensor | None = None,
        batch: int = 1,
        levels: int | None = None,
        trajectories: int | None = None,
        **walk: Any,
    ) -> Tensor:
        """Videos of n frames of which first a few, far apart, are made, and then those between, all gaps at once.

        Errors then add up over fewer blocks in a row than from block to block.

        Args:
            n: how many frames.
            past: frames to go on from, (B, any, C, H, W); without them the videos come from nothing.
            batch: how many videos, where there is no past.
            levels: the first frames are (k + 1)^levels apart; the model's own when None.
            trajectories: how many futures of each past to draw; None for one, without an axis for it.
            walk: as for `predict`.

        Returns:
            (B, n, C, H, W), or (B, trajectories, n, C, H, W).

        Raises:
            ConfigError: the model was trained at one spacing only, or it needs more than one frame on either side, or
                trajectories were asked for without a past.
        """
        check_whole("n", n)
        levels = self.layout.levels if levels is None else levels
        self.layout.check_long(levels)
        spacing = self.layout.spacing(levels)
        if past is None:
            if trajectories is not None:
                raise ConfigError("Trajectories are futures of a past, and none was given; ask for a larger batch.")
            self.layout.check("generate")
            keys = blocks_for(n - 1, spacing) + 1
            self.layout.check_continues(keys)
        else:
            self.layout.check("predict")
            past = self._enough(past, "past", walk)
            # As many as there are, as far apart as the first frames.
            past = past.flip(1)[:, ::spacing][:, : self.p].flip(1)
            keys = blocks_for(n, spacing)

        def make(block: Block, known: Tensor | None) -> Tensor:
            firsts = forwards(at_level(block, levels), known, keys, self.p)
            if known is None:
                return between(block, firsts, levels)[:, :n]
            return between(block, torch.cat([known[:, -1:], firsts], dim=1), levels)[:, 1 : n + 1]

        blocks = blocks_for(keys, self.k) + (0 if past is None and keys == 1 else levels)
        return self._in_blocks(past, n, trajectories, walk, make, batch=batch, blocks=blocks)

    def sample(
        self,
        n: int,
        *,
        frames: int | None = None,
        generator: Randomness = None,
        progress: Progress | None = None,
        **walk: Any,
    ) -> Tensor:
        """Draw n videos from nothing, (n, frames, C, H, W); frames are those of a block when None."""
        return self.generate(n, frames, generator=generator, progress=progress, **walk)

    @torch.no_grad()
    def _in_blocks(
        self,
        known: Tensor | None,
        n: int,
        trajectories: int | None,
        walk: Mapping[str, Any],
        make: Callable[[Block, Any], Tensor],
        *,
        batch: int = 1,
        blocks: int | None = None,
    ) -> Tensor:
        """Make videos of n frames, of blocks that take turns: of as many as n frames take when None."""
        check_whole("n", n)
        walk = dict(walk)
        batch = batch if known is None else len(known)
        streams = Streams.of(walk.pop("generator", None), batch)
        if trajectories is not None and known is not None:
            check_whole("trajectories", trajectories)
            streams, known = streams.split(trajectories), known.repeat_interleave(trajectories, dim=0)
            batch *= trajectories
        if batch == 0:
            some = () if trajectories is None else (trajectories,)
            return torch.empty(0, *some, n, *self.shape, device=self.device)
        count = Portions(walk.pop("progress", None), blocks or blocks_for(n, self.k))

        def block(past: Tensor | None, future: Tensor | None, level: int = 0) -> Tensor:
            here = next((len(x) for x in (past, future) if x is not None), batch)
            own = streams if here == batch else streams.split(here // batch)
            return self.sample_block(
                past, future, batch=batch, level=level, generator=own, progress=count.next(), **walk
            )

        made = make(block, known)
        return made if trajectories is None else made.unflatten(0, (-1, trajectories))

    # -- what is given ----------------------------------------------------------------------------------------------

    def _given(self, frames: Tensor, name: str, walk: Mapping[str, Any]) -> Tensor:
        """Frames that a user gave, on this model's device and in [-1, 1]; unclipped samples may leave that range again."""
        frames = checked_shape(frames, name, self.shape).to(self.device)
        return checked_range(frames, name, bounded=walk.get("clip", True))

    def _enough(
        self, frames: Tensor, name: Literal["past", "future"], walk: Mapping[str, Any], *, pad: bool | None = None
    ) -> Tensor:
        """The same, of which there must be as many as a block is told, unless any choice of frames may be known."""
        frames = self._given(frames, name, walk)
        needed = self.p if name == "past" else self.f
        return lengthened(frames, name, 1 if self.layout.told else needed, pad=pad)
