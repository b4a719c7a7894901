"""Masked conditional video diffusion.

A diffusion of blocks of frames whose network is also told the frames before and after the block. In training either group
is masked at random, so one set of weights predicts, recalls, interpolates and generates.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from unveil.core.errors import RunError, ShapeError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Batch, Covariance, Move, Progress, Randomness, Schedule, Stage
from unveil.core.random import Streams
from unveil.covariance import Identity
from unveil.models.diffusion import Diffusion
from unveil.models.video_diffusion.autoregression import (
    Block,
    Portions,
    at_level,
    backwards,
    between,
    blocks_for,
    forwards,
)
from unveil.models.video_diffusion.folding import fold, unfold
from unveil.models.video_diffusion.given import checked_range, checked_shape, lengthened
from unveil.models.video_diffusion.layout import Layout, Task
from unveil.models.video_diffusion.legacy import denoise_once_more
from unveil.models.video_diffusion.told import Told, known_frames, tell


class VideoDiffusion(nn.Module):
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
        cov: covariance of the noise on each frame.
        options: of the diffusion of a block, such as predict; see `Diffusion`.

    Raises:
        ConfigError: an argument cannot work.

    Source: Voleti et al. (2022), arXiv:2205.09853. Frames that are masked one by one, and videos of which first a few
    frames are made and then those between, are ours.
    """

    plan: Tensor

    def __init__(
        self,
        net: nn.Module,
        schedule: Schedule,
        shape: Sequence[int],
        layout: Layout,
        cov: Covariance = Identity(),  # noqa: B008
        **options: Any,
    ) -> None:
        super().__init__()
        self.layout, self.shape = layout, torch.Size(shape)
        channels, *sides = shape
        self.diffusion = Diffusion(net, schedule, (layout.k * channels, *sides), cov, **options)
        self.register_buffer("plan", self._plan())

    @property
    def p(self) -> int:
        """Frames of the past that a block is told."""
        return self.layout.p

    @property
    def k(self) -> int:
        """Frames of a block."""
        return self.layout.k

    @property
    def f(self) -> int:
        """Frames of the future that a block is told."""
        return self.layout.f

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What the masks of training allow: "predict", "past", "interpolate", "generate"."""
        return self.layout.tasks

    @property
    def net(self) -> nn.Module:
        """The network."""
        return self.diffusion.net

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.diffusion.device

    # -- training ---------------------------------------------------------------------------------------------------

    def loss(self, clips: Tensor, generator: Randomness = None, stride: Tensor | None = None) -> Tensor:
        """Denoising score matching of the middle of clips, whose other frames are masked at random.

        Args:
            clips: (B, p + k + f, C, H, W).
            generator: where times, noise and masks come from.
            stride: how far apart the frames of each clip are, (B,), one of the layout's spacings; 1 when None.
        """
        return self._drawn_loss(clips, generator, stride)[0].mean()

    def _drawn_loss(self, clips: Tensor, generator: Randomness, stride: Tensor | None) -> tuple[Tensor, Tensor]:
        clips, level = checked_shape(clips, "a training clip", self.shape), None
        if clips.shape[1] != self.layout.window:
            raise ShapeError(
                f"The clips have {clips.shape[1]} frames, and training takes {self.layout.window}: {self.p} of the past, "
                f"{self.k} of a block and {self.f} of the future. Give clips of so many (open_videos(frames=...)), or train "
                "with others."
            )
        if self.layout.levels:
            stride = torch.ones(len(clips), device=clips.device) if stride is None else stride.to(clips.device)
            level = (stride.log() / math.log(self.k + 1)).round().long()
        keep = self.layout.draw_keeps(len(clips), generator).to(clips.device)
        block, known = self.parts(clips, keep)
        return self.diffusion.drawn_loss(fold(block), generator, net=Told(self.net, known, level))

    def parts(self, clips: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """The blocks of clips, (B, p + k + f, C, H, W), and what the network is told of the frames around them.

        Args:
            clips: frames in order.
            keep: which of the frames around a block are kept, (B, p + f), 1 or 0.

        Returns:
            (B, k, C, H, W), and (B, channels, H, W).
        """
        past, block, future = clips.split([self.p, self.k, self.f], dim=1)
        return block, tell(self.layout, torch.cat([past, future], dim=1), keep)

    def moves(self, batch: Batch) -> Iterator[Move]:
        """One training step."""
        losses, t = self._drawn_loss(batch.x, batch.generator, batch.cond.get("stride"))
        loss = losses.mean()
        yield Move("model", loss, {"loss": loss.detach(), "t": t})

    def stages(self, steps: int | Mapping[str, int]) -> list[Stage]:
        """The only stage, "train"."""
        count = steps if isinstance(steps, int) else steps["train"]
        return [Stage("train", {"model": self}, count, self.moves)]

    # -- a block ----------------------------------------------------------------------------------------------------

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
            past: the p frames before it, (B, p, C, H, W), or None for a masked past. Where frames are masked one by one,
                fewer will do: they are those next to the block.
            future: the f frames after it, likewise.
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
            ShapeError: the frames do not fit.
        """
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
        known = known_frames(self.layout, past, future, self.shape).to(self.device)
        n = next((len(frames) for frames in (past, future) if frames is not None), batch)
        known = known.to(next((parameter.dtype for parameter in self.net.parameters()), known.dtype))
        told = Told(self.net, known, level if self.layout.levels else None)
        prepare: Callable[[Tensor], tuple[Tensor, ...]] | None = getattr(self.net, "prepare", None)
        if cached and prepare is not None:
            told = Told(self.net, known, told.level, prepare(known))
        x = self.diffusion.sample(n, net=told, generator=generator, progress=progress, **walk)
        if legacy_final_denoise:
            x = denoise_once_more(self.diffusion, told, x, **walk)
        return unfold(x, self.k)

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
        if len(past) != len(future):
            raise ShapeError(f"{len(past)} pasts and {len(future)} futures were given; give one future for each past.")

        def fill(block: Block, both: Tensor) -> Tensor:
            return block(both[:, : past.shape[1]], both[:, past.shape[1] :])

        return self._in_blocks(torch.cat([past, future], dim=1), self.k, trajectories, walk, fill)

    def long_video(
        self, n: int, *, past: Tensor | None = None, batch: int = 1, levels: int | None = None, **walk: Any
    ) -> Tensor:
        """Videos of n frames of which first a few, far apart, are made, and then those between, all gaps at once.

        Errors then add up over fewer blocks in a row than from block to block.

        Args:
            n: how many frames.
            past: frames to go on from, (B, any, C, H, W); without them the videos come from nothing.
            batch: how many videos, where there is no past.
            levels: the first frames are (k + 1)^levels apart; the model's own when None.
            walk: as for `predict`.

        Returns:
            (B, n, C, H, W).

        Raises:
            ConfigError: the model was trained at one spacing only, or it needs more than one frame on either side.
        """
        check_whole("n", n)
        levels = self.layout.levels if levels is None else levels
        self.layout.check_long(levels)
        spacing = self.layout.spacing(levels)
        if past is None:
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

        return self._in_blocks(past, keys, None, walk, make, batch=batch, more=levels)

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

    def _in_blocks(
        self,
        known: Tensor | None,
        frames: int,
        trajectories: int | None,
        walk: Mapping[str, Any],
        make: Callable[[Block, Any], Tensor],
        *,
        batch: int = 1,
        more: int = 0,
    ) -> Tensor:
        """Make videos of blocks that take turns: so many frames of them, and `more` blocks after these."""
        check_whole("n", frames)
        walk = dict(walk)
        batch = batch if known is None else len(known)
        streams = Streams.of(walk.pop("generator", None), batch)
        if trajectories is not None and known is not None:
            check_whole("trajectories", trajectories)
            streams, known = streams.split(trajectories), known.repeat_interleave(trajectories, dim=0)
            batch *= trajectories
        if batch == 0:
            return torch.empty(0, frames, *self.shape, device=self.device)
        count = Portions(walk.pop("progress", None), blocks_for(frames, self.k) + more)

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
        self, frames: Tensor, name: Literal["past", "future"], walk: Mapping[str, Any], *, pad: bool = False
    ) -> Tensor:
        """The same, of which there must be as many as a block is told, unless any choice of frames may be known."""
        frames = self._given(frames, name, walk)
        needed = self.p if name == "past" else self.f
        return lengthened(frames, name, 1 if self.layout.told else needed, pad=pad)

    # -- weights know what they were trained for ----------------------------------------------------------------------

    def _plan(self) -> Tensor:
        layout = self.layout
        return torch.tensor([self.shape[0], layout.p, layout.k, layout.f, layout.levels, layout.told])

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        saved = state_dict.get(prefix + "plan")
        if saved is not None and not torch.equal(saved.cpu(), self._plan()):
            raise RunError(
                "These weights were trained for other frames than this model's: channels, past, block, future, levels or "
                "per_frame differ. Build the model from the recipe that is saved beside the weights."
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
