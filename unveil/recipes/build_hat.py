"""From a recipe to objects: Hat Diffusion EBMs."""

from collections.abc import Sequence

from torch import nn

from unveil.core.errors import ConfigError
from unveil.models.diffusion import Diffusion
from unveil.models.distillation import Distilled
from unveil.models.hat_ebm import Chain, HatEBM, LatentMove, Lengths, Objective
from unveil.networks.energy import ImageEnergy
from unveil.networks.plane import PointDenoiser, PointEnergy, PointProposal
from unveil.networks.proposal import Proposal
from unveil.recipes.build_parts import build_network, build_schedule, check_sides
from unveil.recipes.hat import (
    HatSpec,
    ImageEnergySpec,
    PointDenoiserSpec,
    PointEnergySpec,
    PointProposalSpec,
    ProposalSpec,
)
from unveil.recipes.parts import UNetSpec


def build_hat(spec: HatSpec, shape: Sequence[int]) -> HatEBM:
    """Make a Hat Diffusion EBM of samples of a shape, (C, H, W) or (d,).

    Raises:
        ConfigError: the networks are not for such samples, or halve sides that cannot be halved.
    """
    if spec.of_points != (len(shape) == 1):
        what = "points" if len(shape) == 1 else "pictures"
        wanted = (
            "point-denoiser, point-proposal and point-energy" if len(shape) == 1 else "unet, proposal and image-energy"
        )
        raise ConfigError(
            f"The data are {what}, and {spec.network.kind} is not for them; give model.network, generator and energy the kinds "
            f"{wanted}."
        )
    diffusion = Diffusion(_denoiser(spec, shape), build_schedule(spec.schedule), shape, predict=spec.predict)
    return HatEBM(
        _generator(spec, shape),
        Distilled(diffusion, steps=1, first_steps=spec.first_steps, until=spec.last),
        _energy(spec, shape),
        one=Chain(**spec.one.model_dump()),
        two=None if spec.two is None else Chain(**spec.two.model_dump()),
        latent_move=LatentMove(**spec.latent_move.model_dump()),
        bank=spec.bank,
        objective=Objective(**spec.objective.model_dump()),
        lengths=Lengths(**spec.lengths.model_dump()),
    )


def _denoiser(spec: HatSpec, shape: Sequence[int]) -> nn.Module:
    match spec.network:
        case PointDenoiserSpec(hidden=hidden):
            return PointDenoiser(shape[0], hidden=hidden)
        case UNetSpec() as network:
            made = build_network(network, shape[0])
            check_sides("model.network", shape[1:], made.divisor, "let it halve them less often")
            return made


def _generator(spec: HatSpec, shape: Sequence[int]) -> nn.Module:
    match spec.generator:
        case PointProposalSpec(latent=latent, hidden=hidden):
            return PointProposal(shape[0], latent=latent, hidden=hidden)
        case ProposalSpec(latent=latent, widths=widths):
            return Proposal(shape, latent=latent, widths=widths)


def _energy(spec: HatSpec, shape: Sequence[int]) -> nn.Module:
    match spec.energy:
        case PointEnergySpec(hidden=hidden, zoom=zoom):
            return PointEnergy(shape[0], hidden=hidden, zoom=zoom)
        case ImageEnergySpec() as energy:
            made = ImageEnergy(shape[0], **energy.model_dump(exclude={"kind"}))
            check_sides("model.energy", shape[1:], made.divisor, "let it halve them less often")
            return made
