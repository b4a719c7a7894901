"""From a recipe to objects: a model of a single image, and the one picture it learns from."""

from collections.abc import Sequence
from pathlib import Path

from unveil.core.errors import ConfigError
from unveil.data.photograph import Photograph, open_photograph
from unveil.models.single_image_ebm import SingleImageEBM
from unveil.networks.patch_energy import PatchEnergy
from unveil.pyramids import scale_sizes
from unveil.recipes.schema import DataSpec
from unveil.recipes.single_image import PatchEnergySpec, SingleImageSpec


def build_single_image(spec: SingleImageSpec, shape: Sequence[int]) -> SingleImageEBM:
    """Make the model of an image of a shape, (C, H, W).

    Raises:
        ConfigError: the image is too small for the pyramid, or the data are no image.
    """
    if len(shape) != 3:
        raise ConfigError("A model of a single image learns from one picture; give a picture (--data).")
    channels, height, width = shape
    sizes = scale_sizes(height, width, min_size=spec.min_size, scales=spec.scales, ratio=spec.ratio)
    given = [(spec.fine_network or spec.network) if max(size) >= spec.fine_from else spec.network for size in sizes]
    networks = [build_patch_energy(network, channels) for network in given]
    field = max(network.field for network in networks)
    if spec.min_size < field:
        raise ConfigError(
            f"model.min_size is {spec.min_size}, less than the {field} pixels of a patch that the network sees; the smallest "
            f"that works is {field}."
        )
    return SingleImageEBM(
        networks,
        sizes,
        chain=spec.chain,
        finer_chain=spec.finer_chain,
        step_size=spec.step_size,
        noise=spec.noise,
        recovery_weight=spec.recovery_weight,
        clean_factor=spec.clean_factor,
        corruption=spec.corruption,
        bank=spec.bank,
        finer_share=spec.finer_share,
        detail_noise=spec.detail_noise,
        train_crop=spec.train_crop,
    )


def build_patch_energy(spec: PatchEnergySpec, channels: int) -> PatchEnergy:
    """Make the energy of one scale."""
    return PatchEnergy(channels, spec.widths, activation=spec.activation, spectral_norm=spec.spectral_norm)


def build_photograph(spec: DataSpec, source: str | Path) -> Photograph:
    """Open the picture of a recipe at its working size."""
    return open_photograph(
        source, size=spec.size, channels=spec.channels, longest=spec.longest, shortest=spec.shortest, hole=spec.hole
    )
