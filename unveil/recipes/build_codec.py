"""From a recipe to objects: codecs, and diffusion on their codes."""

from collections.abc import Sequence

from unveil.codecs import Codec
from unveil.core.errors import ConfigError
from unveil.models.codec_diffusion import CodecDiffusion, KeptCodec, Refiner
from unveil.recipes.build_parts import build_network, build_schedule
from unveil.recipes.codec import CodecDiffusionSpec, CodecSpec


def build_codec(spec: CodecSpec, shape: Sequence[int]) -> KeptCodec:
    """Make a codec of pictures of a shape, (C, H, W), that is still to be fitted.

    Raises:
        ConfigError: it is for colour and the pictures are grey, or the other way round.
    """
    layout = spec.layout()
    if shape[0] != layout.channels:
        known, wanted = ("colour", "grey") if layout.channels == 3 else ("grey", "colour")
        example = "OPQ-32" if layout.channels == 3 else "OPQ-32-8-8"
        raise ConfigError(
            f"The codec {spec.name} is for {known} and the pictures are {wanted}; name one for them, such as {example}, or "
            f"read them in {known} (data.channels={layout.channels})."
        )
    codec = Codec(layout, ordered=spec.ordered)
    return KeptCodec(codec, patches=spec.patches, pictures=spec.pictures, flat=spec.flat, file=spec.file)


def build_codec_diffusion(spec: CodecDiffusionSpec, shape: Sequence[int]) -> CodecDiffusion:
    """Make a diffusion on the codes of pictures of a shape, (C, H, W)."""
    codec = build_codec(spec.codec, shape)
    planes, size = codec.codec.planes, codec.codec.size
    network = build_network(
        spec.network,
        planes * (2 if spec.self_condition else 1),
        outputs=planes * (size if spec.codes == "categorical" else 1),
    )
    refiner = None
    if spec.refiner is not None:
        mender = build_network(spec.refiner.network, shape[0])
        refiner = Refiner(mender, spread=spec.refiner.noise, share=spec.refiner.share)
    return CodecDiffusion(
        network,
        codec,
        build_schedule(spec.schedule),
        shape,
        codes=spec.codes,
        min_snr=spec.min_snr,
        self_condition=spec.self_condition,
        relaxation=spec.relaxation,
        straight_through=spec.straight_through,
        image_weight=spec.image_weight,
        cross_entropy=spec.cross_entropy,
        refiner=refiner,
    )
