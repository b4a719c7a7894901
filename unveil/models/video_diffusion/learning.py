"""How one network learns blocks of frames, told those around them at random."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unveil.core.errors import RunError
from unveil.core.protocols import Batch, Covariance, Move, Randomness, Schedule, Stage
from unveil.covariance import Identity
from unveil.models.codec_diffusion import CodeSpace, KeptCodec
from unveil.models.diffusion import Diffusion
from unveil.models.video_diffusion.folding import fold
from unveil.models.video_diffusion.given import checked_clips
from unveil.models.video_diffusion.layout import Layout, Task
from unveil.models.video_diffusion.told import Told, tell


class LearningClips(nn.Module):
    """The network of a `VideoDiffusion`, which describes the arguments, and its training."""

    plan: Tensor

    def __init__(
        self,
        net: nn.Module,
        schedule: Schedule,
        shape: Sequence[int],
        layout: Layout,
        cov: Covariance = Identity(),
        *,
        codec: KeptCodec | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.layout, self.shape, self.codec = layout, torch.Size(shape), codec
        self.space = None if codec is None else CodeSpace(codec, shape, getattr(net, "divisor", 1))
        channels, *sides = self.state_shape
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

    # -- frames, and what is diffused of them -------------------------------------------------------------------------

    @property
    def state_shape(self) -> torch.Size:
        """Of what is diffused of a frame: its own (C, H, W), or that of its codes."""
        return self.shape if self.space is None else self.space.latent_shape

    def to_states(self, frames: Tensor) -> Tensor:
        """What is diffused of frames: (B, T, C, H, W) -> the same, or (B, T, planes, h, w) of their codes."""
        if self.space is None or not frames.numel():
            return frames if self.space is None else frames.new_zeros(*frames.shape[:2], *self.state_shape)
        # Half precision would fall on other codes; unclipped samples may leave the range of pictures.
        z = self.space.encode(frames.flatten(0, 1).float().clamp(-1, 1))
        return z.to(frames.dtype).unflatten(0, frames.shape[:2])

    def to_frames(self, states: Tensor) -> Tensor:
        """The other way round: (B, T, ...) -> (B, T, C, H, W)."""
        if self.space is None:
            return states
        return self.space.decode(states.flatten(0, 1).float()).to(states.dtype).unflatten(0, states.shape[:2])

    @property
    def prepare(self) -> Callable[..., None] | None:
        """Fits the codec to clips, `prepare(data, generator)`, as long as it is not fitted; None without a codec."""
        return None if self.codec is None else self.codec.prepare

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
        clips, level = checked_clips(clips, self.layout, self.shape), None
        if self.layout.levels:
            stride = torch.ones(len(clips), device=clips.device) if stride is None else stride.to(clips.device)
            level = self.layout.level_of(stride)
        keep = self.layout.draw_keeps(len(clips), generator).to(clips.device)
        block, known = self.parts(clips, keep)
        return self.diffusion.drawn_loss(fold(block), generator, net=Told(self.net, known, level))

    def parts(self, clips: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """The blocks of clips, (B, p + k + f, C, H, W), and what the network is told of the frames around them.

        Args:
            clips: frames in order.
            keep: which of the frames around a block are kept, (B, p + f), 1 or 0.

        Returns:
            (B, k, ...) as they are diffused, (C, H, W) or (planes, h, w) each, and (B, channels, H or h, W or w).
        """
        clips = self.to_states(clips)
        past, block, future = clips.split([self.p, self.k, self.f], dim=1)
        return block, tell(self.layout, torch.cat([past, future], dim=1), keep)

    def moves(self, batch: Batch) -> Iterator[Move]:
        """One training step."""
        losses, t = self._drawn_loss(batch.x, batch.generator, batch.cond.get("stride"))
        loss = losses.mean()
        yield Move("model", loss, {"loss": loss.detach(), "t": t})

    def stages(self, steps: int | Mapping[str, int]) -> list[Stage]:
        """The only stage, "train"."""
        return [Stage.only({"model": self}, steps, self.moves)]

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
