"""What a recipe may say of a model of a single image."""

from typing import Annotated, Literal

from pydantic import Field

from unveil.recipes.spec import Count, Positive, Row, Spec, Whole


class PatchEnergySpec(Spec):
    """The network of `unveil.networks.patch_energy`."""

    kind: Literal["patch-energy"] = "patch-energy"
    widths: Row = Field(
        default=(32, 32, 32, 32),
        min_length=1,
        description="channels of the layers between; n of them see 2n + 3 pixels",
    )
    activation: Literal["elu", "silu"] = "elu"
    spectral_norm: bool = Field(default=True, description="divide all layers but the last by their spectral norms")


class SingleImageSpec(Spec):
    """A pyramid of patch energies of one image (`unveil.models.single_image_ebm`)."""

    kind: Literal["single-image-ebm"]
    network: PatchEnergySpec = PatchEnergySpec()
    fine_network: PatchEnergySpec | None = Field(
        default=None, description="of the scales from fine_from on; the same without it"
    )
    fine_from: Count = Field(default=64, description="long side in pixels from which a scale has the fine network")
    min_size: Count = Field(default=20, description="short side of the coarsest scale, in pixels")
    scales: Annotated[Whole, Field(ge=2)] | None = Field(default=None, description="how many; by the ratio without it")
    ratio: Annotated[float, Field(ge=0.5, le=0.95)] = Field(
        default=0.73, description="sides of a scale, as a share of those of the next finer one, about"
    )
    chain: Count = Field(default=30, description="Langevin steps at the coarsest scale, in training and in use")
    finer_chain: Count = Field(default=12, description="Langevin steps at each finer scale")
    step_size: Positive = Field(default=0.1, description="in front of half of the gradient")
    noise: float = Field(default=0.01, ge=0, description="of a Langevin step, falling to 0 in the first quarter")
    recovery_weight: float = Field(
        default=1.0, ge=0, description="how much it counts that a spoiled image is found back from"
    )
    clean_factor: float = Field(
        default=3.0,
        ge=0,
        description="that much more in every second step of a finer scale, which finds back from the enlarged image of the "
        "scale below, as edits do; 0 has no such steps, as published",
    )
    corruption: Literal["blur", "mask", "noise", "colours"] = Field(
        default="blur", description="how it is spoiled for that"
    )
    bank: Count = Field(default=32, description="starts of chains that are kept for a scale")
    finer_share: Positive = Field(
        default=0.3, description="training steps of a finer scale, as a share of training.steps, those of the coarsest"
    )
    detail_noise: float = Field(
        default=0.0,
        ge=0,
        description="noise that chains of finer scales make into details, as a share of those that the scale below lacks; "
        "0 has none, as published",
    )
    train_crop: Annotated[Whole, Field(ge=32)] | None = Field(
        default=None,
        description="side of the windows that larger scales are trained on; without it the whole, or 128 where "
        "that takes more than 2 GB",
    )
