"""From a recipe to objects: videos as paths."""

from collections.abc import Sequence
from typing import Any

from unveil.models.ode_video import Learning, ODEVideo, RecurrentEncoder, StackEncoder
from unveil.networks.frames import FrameDecoder, FrameEncoder
from unveil.networks.latent_dynamics import LatentDynamics
from unveil.recipes.build_multires_cnf import build_solver
from unveil.recipes.ode_video import ODEVideoSpec, RecurrentSpec, StackSpec

_LEARNING = (
    "window", "context", "objective", "compared", "horizon", "sigma", "beta", "warmup", "free_bits", "hide", "agreement",
    "stop", "autoencode",
)  # fmt: skip


def build_ode_video(spec: ODEVideoSpec, shape: Sequence[int]) -> ODEVideo:
    """Make a model of videos whose frames have a shape, (C, H, W), or (T, C, H, W).

    Raises:
        ConfigError: the sides cannot be halved so often.
    """
    channels, *sides = frame = tuple(shape[-3:])
    state = spec.latent + spec.augment
    return ODEVideo(
        build_encoder(spec, channels, sides),
        LatentDynamics(
            state, hidden=spec.hidden, order=spec.order, still=spec.still, time_dependent=spec.time_dependent
        ),
        FrameDecoder(channels, sides, state, widths=spec.widths, blocks=spec.blocks, hidden=spec.decoder_hidden),
        frame,
        Learning(**{name: getattr(spec, name) for name in _LEARNING}, solver=build_solver(spec.solver)),
        build_solver(spec.test_solver),
    )


def build_encoder(spec: ODEVideoSpec, channels: int, sides: Sequence[int]) -> RecurrentEncoder | StackEncoder:
    """Make what reads the known frames."""
    options: dict[str, Any] = {"widths": spec.widths, "blocks": spec.blocks, "features": spec.features}
    match spec.encoder:
        case StackSpec(count=count, hidden=hidden):
            return StackEncoder(FrameEncoder(count * channels, sides, **options), spec.latent, count, hidden=hidden)
        case RecurrentSpec() as told:
            return RecurrentEncoder(
                FrameEncoder(channels, sides, **options),
                spec.latent,
                hidden=told.hidden,
                cell=told.cell,
                anchor=told.anchor,
                gaps=told.gaps,
                between=LatentDynamics(told.hidden, hidden=(told.hidden,)) if told.between else None,
            )
