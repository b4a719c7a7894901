"""From a recipe to objects: models that restore."""

from collections.abc import Sequence

from torch import nn

from unveil.core.errors import ConfigError
from unveil.models.denoiser import BlindDenoiser
from unveil.models.restoration import (
    DSWD,
    KLD,
    MMD,
    MMSE,
    Adversarial,
    Degradation,
    LearnedPrior,
    Restoration,
    naive_super_resolution,
    noising,
    super_resolution,
)
from unveil.networks.bias_free import BiasFreeUNet
from unveil.networks.discriminator import Discriminator
from unveil.networks.generator import Generator
from unveil.networks.points import PointDiscriminator, PointGenerator
from unveil.recipes.build_parts import check_sides
from unveil.recipes.restoration import (
    BlindDenoiserSpec,
    CriticSpec,
    DegradationSpec,
    DiscriminatorSpec,
    DSWDSpec,
    GeneratorSpec,
    KLDSpec,
    LearnedPriorSpec,
    MMDSpec,
    MMSESpec,
    NaiveSuperResolutionSpec,
    NoisingSpec,
    PointDiscriminatorSpec,
    PointGeneratorSpec,
    RestorationSpec,
    SuperResolutionSpec,
)


def build_denoiser(spec: BlindDenoiserSpec, shape: Sequence[int]) -> BlindDenoiser:
    """Make a denoiser of pictures with as many channels as a shape, (C, H, W)."""
    network = BiasFreeUNet(shape[0], **spec.network.model_dump(exclude={"kind"}))
    return BlindDenoiser(network, shape[0], sigma_min=spec.sigma_min, sigma_max=spec.sigma_max)


def build_restoration(spec: RestorationSpec, shape: Sequence[int]) -> Restoration:
    """Make a restoration-based generative model of samples of a shape, (C, H, W) or (d,).

    Raises:
        ConfigError: the networks are not for such samples, or halve sides that cannot be halved.
    """
    _check_kind(spec, shape)
    degradation = build_degradation(spec.degradation)
    return Restoration(
        build_generator(spec, shape, degradation.steps),
        degradation,
        shape,
        build_prior(spec.prior, shape, degradation),
        fidelity_weight=spec.fidelity_weight,
        fidelity_space=spec.fidelity_space,
        sampling=spec.sampling,
        match=spec.match,
        latent=spec.latent,
    )


def _check_kind(spec: RestorationSpec, shape: Sequence[int]) -> None:
    """Refuse networks of points for pictures, and the other way round."""
    critic = getattr(spec.prior, "discriminator", None)
    kinds = [spec.network.kind, *([] if critic is None else [critic.kind])]
    points = len(shape) == 1
    wrong = [kind for kind in kinds if kind.startswith("point-") != points]
    if wrong:
        what = "points" if points else "pictures"
        raise ConfigError(
            f"The data are {what}, and {wrong[0]} is not for them; give model.network.kind="
            f"{'point-generator' if points else 'generator'}, and the discriminator alike."
        )


def build_degradation(spec: DegradationSpec) -> Degradation:
    """Make a chain of degradations."""
    match spec:
        case NoisingSpec(steps=steps, spacing=spacing):
            return noising(steps, spacing)
        case NaiveSuperResolutionSpec(steps=steps):
            return naive_super_resolution(steps)
        case SuperResolutionSpec(steps=steps):
            return super_resolution(steps)


def build_generator(spec: RestorationSpec, shape: Sequence[int], steps: int) -> nn.Module:
    """Make the network that restores."""
    match spec.network:
        case PointGeneratorSpec(latent=latent, hidden=hidden):
            return PointGenerator(shape[0], steps=steps, latent=latent, hidden=hidden)
        case GeneratorSpec() as network:
            generator = Generator(shape[0], **network.model_dump(exclude={"kind"}))
            check_sides("the generator", shape[1:], generator.divisor, "give its mult fewer levels")
            return generator


def build_critic(spec: CriticSpec, shape: Sequence[int], steps: int) -> nn.Module:
    """Make the network that judges."""
    match spec:
        case PointDiscriminatorSpec(hidden=hidden):
            return PointDiscriminator(shape[0], steps=steps, hidden=hidden)
        case DiscriminatorSpec():
            critic = Discriminator(shape[0], **spec.model_dump(exclude={"kind"}))
            check_sides("the discriminator", shape[1:], critic.divisor, "give its mult fewer levels")
            return critic


def build_prior(spec: LearnedPriorSpec, shape: Sequence[int], degradation: Degradation) -> LearnedPrior:
    """Make the prior that restored samples are held to."""

    def critic(given: CriticSpec | None, r1: float, lazy: int) -> Adversarial | None:
        return None if given is None else Adversarial(build_critic(given, shape, degradation.steps), r1=r1, lazy=lazy)

    match spec:
        case KLDSpec(discriminator=given) as kld:
            return KLD(
                build_critic(given, shape, degradation.steps),
                r1=kld.r1,
                lazy=kld.lazy,
                r1_scale_by_interval=kld.r1_scale_by_interval,
                gen_loss=kld.gen_loss,
            )
        case MMDSpec(discriminator=given, r1=r1, lazy=lazy) as mmd:
            return MMD(critic(given, r1, lazy), bandwidths=mmd.bandwidths, unbiased=mmd.unbiased, pool=mmd.pool)
        case DSWDSpec(discriminator=given, r1=r1, lazy=lazy) as dswd:
            return DSWD(
                critic(given, r1, lazy),
                shape=shape,
                projections=dswd.projections,
                inner=dswd.inner,
                spread=dswd.spread,
                summed=dswd.summed,
                pool=dswd.pool,
            )
        case MMSESpec():
            return MMSE()
