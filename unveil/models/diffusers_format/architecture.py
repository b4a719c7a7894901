"""The options of a network, in their words and in ours."""

from collections.abc import Mapping
from typing import Any

from unveil.core.errors import ConfigError, DataError
from unveil.networks.unet import UNet

_FIXED: dict[str, Any] = {
    "center_input_sample": False, "time_embedding_type": "positional", "time_embedding_dim": None,
    "mid_block_type": "UNetMidBlock2D", "mid_block_scale_factor": 1, "downsample_type": "conv",
    "upsample_type": "conv", "act_fn": "silu", "attn_norm_num_groups": None, "resnet_time_scale_shift": "default",
    "add_attention": True, "class_embed_type": None,
}  # fmt: skip
"""Options of `UNet2DModel` that have one value here, which is also their default there."""


def our_options(config: Mapping[str, Any], time_scale: float) -> dict[str, Any]:
    """The options of our network from those of theirs.

    Raises:
        ConfigError: an option has no counterpart here.
        DataError: an option is missing.
    """
    if config.get("_class_name") != "UNet2DModel":
        raise ConfigError(f"The folder holds a {config.get('_class_name')}; only UNet2DModel can be opened.")
    for name in ("block_out_channels", "down_block_types", "up_block_types"):
        if not config.get(name):
            raise DataError(f"The config.json of the network says nothing of {name}; it is damaged.")
    for name, value in _FIXED.items():
        given = config.get(name, value)
        if given != value and not (name == "time_embedding_dim" and given == 4 * config["block_out_channels"][0]):
            raise ConfigError(f"The network has {name}={given!r}, which has no counterpart here; only {value!r} has.")
    widths = config["block_out_channels"]
    down = config["down_block_types"]
    kinds = {"DownBlock2D": "UpBlock2D", "AttnDownBlock2D": "AttnUpBlock2D"}
    if list(config["up_block_types"]) != [kinds.get(kind) for kind in reversed(down)]:
        raise ConfigError(
            f"The network has blocks {list(down)} and {list(config['up_block_types'])}; only DownBlock2D and "
            "AttnDownBlock2D can be opened, met by UpBlock2D and AttnUpBlock2D in the opposite order."
        )
    if any(width % widths[0] for width in widths):
        raise ConfigError(f"The network has {list(widths)} channels; each must be a multiple of the first.")
    padding = config.get("downsample_padding", 1)
    if padding not in (0, 1):
        raise ConfigError(f"The network has downsample_padding={padding!r}; only 0 and 1 have a counterpart here.")
    return {
        "in_channels": config.get("in_channels", 3),
        "out_channels": config.get("out_channels", 3),
        "channels": widths[0],
        "mult": tuple(width // widths[0] for width in widths),
        "blocks": config.get("layers_per_block", 2),
        "attention": tuple(level for level, kind in enumerate(down) if kind == "AttnDownBlock2D"),
        "dropout": config.get("dropout", 0.0),
        "head_channels": config.get("attention_head_dim", 8),
        "classes": config.get("num_class_embeds"),
        "groups": config.get("norm_num_groups", 32),
        "eps": config.get("norm_eps", 1e-5),
        "time_scale": time_scale,
        "frequency_shift": config.get("freq_shift", 0),
        "padding": "both" if padding else "end",
    }


def their_config(unet: UNet, image_size: tuple[int, int]) -> dict[str, Any]:
    """The configuration of their network from ours; labels are left out.

    Raises:
        ConfigError: the network, or images of that size, have no counterpart there.
    """
    options = unet.options
    for name, value in (("style", "ddpm"), ("embedding", "sinusoidal")):
        if options[name] != value:
            raise ConfigError(f"A U-Net with {name}={options[name]!r} has no counterpart in diffusers; {value!r} has.")
    if any(side < 1 or side % unet.divisor for side in image_size):
        raise ConfigError(
            f"Images of {image_size[0]} x {image_size[1]} do not fit the network; it takes sides that are multiples "
            f"of {unet.divisor}."
        )
    widths = [m * options["channels"] for m in options["mult"]]
    levels = range(len(widths))
    attending = {widths[level] for level in options["attention"]} | {widths[-1]}
    heads = options["head_channels"]
    if heads is not None and heads >= max(attending):
        heads = None
    if heads is not None and heads > min(attending):
        raise ConfigError(
            f"The network has one head at {min(attending)} channels and several of {heads} above; diffusers has no "
            "such mixture."
        )
    down = ["AttnDownBlock2D" if level in options["attention"] else "DownBlock2D" for level in levels]
    height, width = image_size
    return {
        "_class_name": "UNet2DModel",
        "_diffusers_version": "0.35.0",
        **_FIXED,
        "sample_size": height if height == width else [height, width],
        "in_channels": options["in_channels"],
        "out_channels": options["out_channels"],
        "flip_sin_to_cos": False,
        "freq_shift": options["frequency_shift"],
        "down_block_types": down,
        "up_block_types": [kind.replace("Down", "Up") for kind in reversed(down)],
        "block_out_channels": widths,
        "layers_per_block": options["blocks"],
        "downsample_padding": 1 if options["padding"] == "both" else 0,
        "dropout": options["dropout"],
        "attention_head_dim": heads,
        "norm_num_groups": unet.norm.num_groups,
        "norm_eps": options["eps"],
        "num_class_embeds": None,
    }
