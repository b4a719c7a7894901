"""From a recipe to objects: the parts that several families have."""

from collections.abc import Sequence

from unveil.core.errors import ConfigError
from unveil.core.protocols import Covariance, Schedule
from unveil.covariance import Identity, free_field
from unveil.networks.unet import UNet
from unveil.recipes.parts import (
    CovarianceSpec,
    DiscreteCosineSpec,
    DiscreteLinearSpec,
    FreeFieldSpec,
    GeometricVESpec,
    IdentitySpec,
    LinearVPSpec,
    ScheduleSpec,
    UNetSpec,
)
from unveil.schedules import Discrete, GeometricVE, LinearVP

FEWER = "give model.network.mult fewer levels"
"""What to do where a U-net halves sides too often."""


def check_sides(what: str, sides: Sequence[int], divisor: int, remedy: str) -> None:
    """Refuse a height and a width that a network cannot halve as often as it does.

    Raises:
        ConfigError: a side is no multiple of `divisor`; `remedy` is what to do beside changing data.size.
    """
    height, width = sides
    if height % divisor or width % divisor:
        raise ConfigError(
            f"{height} x {width} pixels do not fit {what}, which takes sides that are multiples of {divisor}; change "
            f"data.size, or {remedy}."
        )


def build_network(spec: UNetSpec, channels: int, classes: int | None = None, *, outputs: int | None = None) -> UNet:
    """Make the network of a diffusion for images with so many channels, and as many outputs where nothing else is said."""
    options = spec.model_dump(exclude={"kind"})
    return UNet(channels, outputs, classes=classes, **options)


def build_schedule(spec: ScheduleSpec) -> Schedule:
    """Make a noise schedule."""
    match spec:
        case LinearVPSpec(beta_min=beta_min, beta_max=beta_max):
            return LinearVP(beta_min, beta_max)
        case DiscreteLinearSpec(steps=steps, first_sigma=sigma):
            return Discrete.linear(steps) if sigma is None else Discrete.linear(steps, first=sigma**2 * steps / 1000)
        case DiscreteCosineSpec(steps=steps):
            return Discrete.cosine(steps)
        case GeometricVESpec(sigma_min=sigma_min, sigma_max=sigma_max, steps=steps):
            return GeometricVE(sigma_min, sigma_max, steps)


def build_covariance(spec: CovarianceSpec, shape: Sequence[int]) -> Covariance:
    """Make the covariance of the noise on samples of a shape, (C, H, W)."""
    match spec:
        case IdentitySpec():
            return Identity()
        case FreeFieldSpec(power=power):
            return free_field(shape[1], shape[2], power)
