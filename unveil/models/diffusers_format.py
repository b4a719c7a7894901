"""U-Nets of the diffusers library, read from a folder and written to one, without the library itself.

Its networks count the steps from 0 where ours count from 1, and may put cosines before sines. Neither needs an
option here: a step back in time turns each pair (sin, cos) by a fixed angle, and both the turn and the order can be
taken into the first layer that sees the pair.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unveil.core.errors import ConfigError, DataError, ExistsError
from unveil.networks.layers import SinusoidalFeatures
from unveil.networks.unet import Step, UNet

Predict = Literal["eps", "x", "v"]

_PREDICT: dict[Predict, str] = {"eps": "epsilon", "x": "sample", "v": "v_prediction"}
_WEIGHTS = "diffusion_pytorch_model.safetensors"
_ATTENTION = {"norm": "group_norm", "out": "to_out.0"}
_FORMER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""What old checkpoints called the layers of attention."""


@dataclass(frozen=True)
class DiffusersUNet:
    """A network of the diffusers library in our words.

    Attributes:
        options: what makes the network, `UNet(**options)`.
        weights: its state.
        predict: what it predicts.
        betas: beta_1 .. beta_L of the chain it was trained on, float64; None where the folder holds no scheduler.
        image_size: height and width it was made for; None where the folder does not say.
    """

    options: dict[str, Any]
    weights: dict[str, Tensor]
    predict: Predict = "eps"
    betas: Tensor | None = None
    image_size: tuple[int, int] | None = None

    def unet(self) -> UNet:
        """The network, on the CPU; it takes t = i / L for step i of 1 .. L, like all of ours."""
        network = UNet(**self.options)
        network.load_state_dict(self.weights)
        return network


def read_diffusers(folder: str | Path) -> DiffusersUNet:
    """Read a folder that diffusers wrote: of a `UNet2DModel`, or of a pipeline with `unet/` and `scheduler/`.

    A network with labels comes with one more, "no label", that adds nothing; guidance needs a network that was
    trained to do without labels, and the folder does not say so.

    Raises:
        DataError: there is no such folder, or its files are missing, damaged or only there to be unpickled.
        ConfigError: the network or its chain has an option without a counterpart here.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}; give a folder that diffusers wrote with save_pretrained.")
    place = folder / "unet" if (folder / "unet").is_dir() else folder
    config = _read_json(place / "config.json")
    predict, betas = _read_scheduler(folder / "scheduler" / "scheduler_config.json")
    options = _options(config, time_scale=float(len(betas)) if betas is not None else 1000.0)
    size = config.get("sample_size")
    height, width = size if isinstance(size, list) else (size, size)
    return DiffusersUNet(
        options, _to_ours(_read_weights(place), options, config), predict, betas, (height, width) if size else None
    )


def write_diffusers(
    folder: str | Path,
    unet: UNet,
    betas: Tensor,
    image_size: int | tuple[int, int],
    *,
    predict: Predict = "eps",
    clip: bool = True,
    label: int | None = None,
) -> Path:
    """Write a folder that `diffusers.DDPMPipeline.from_pretrained` opens.

    The pipeline adds white noise, and knows no labels: of a network with classes it gets the one that always sees
    `label`, or no label.

    Args:
        folder: where to; it must not exist, or be empty.
        unet: a network in the style "ddpm" with the sinusoidal embedding.
        betas: beta_1 .. beta_L of the chain it was trained on, as many as its `time_scale`.
        image_size: one side, or height and width, of the pictures to sample.
        predict: what the network predicts.
        clip: whether the pipeline clips its estimates of the picture to [-1, 1].
        label: what a network with classes always sees.

    Returns:
        The folder.

    Raises:
        ConfigError: the network cannot be said in the words of `UNet2DModel`, and why.
        ExistsError: something is in the folder already.
    """
    folder = Path(folder)
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    config = _config(unet, betas, (height, width), label)
    if predict not in _PREDICT:
        raise ConfigError(f"diffusers has no word for predict={predict!r}; it knows {', '.join(get_args(Predict))}.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExistsError(f"{folder} exists and is not an empty folder; choose another place, or empty it first.")
    weights = _to_theirs(unet, label)
    for part in ("unet", "scheduler"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "unet" / _WEIGHTS, metadata={"format": "pt"})
    _write_json(folder / "unet" / "config.json", config)
    _write_json(folder / "scheduler" / "scheduler_config.json", _scheduler(betas, predict, clip))
    _write_json(
        folder / "model_index.json",
        {
            "_class_name": "DDPMPipeline",
            "_diffusers_version": "0.35.0",
            "scheduler": ["diffusers", "DDPMScheduler"],
            "unet": ["diffusers", "UNet2DModel"],
        },
    )
    return folder


# --- the architecture ------------------------------------------------------------------------------------------------

_FIXED: dict[str, Any] = {
    "center_input_sample": False, "time_embedding_type": "positional", "time_embedding_dim": None,
    "mid_block_type": "UNetMidBlock2D", "mid_block_scale_factor": 1, "downsample_type": "conv",
    "upsample_type": "conv", "act_fn": "silu", "attn_norm_num_groups": None, "resnet_time_scale_shift": "default",
    "add_attention": True, "class_embed_type": None,
}  # fmt: skip
"""Options of `UNet2DModel` that have one value here, which is also their default there."""


def _options(config: Mapping[str, Any], time_scale: float) -> dict[str, Any]:
    """The options of our network from those of theirs."""
    if config.get("_class_name") != "UNet2DModel":
        raise ConfigError(f"The folder holds a {config.get('_class_name')}; only UNet2DModel can be opened.")
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


def _config(unet: UNet, betas: Tensor, image_size: tuple[int, int], label: int | None) -> dict[str, Any]:
    """The options of their network from those of ours."""
    options = unet.options
    for name, value in (("style", "ddpm"), ("embedding", "sinusoidal")):
        if options[name] != value:
            raise ConfigError(f"A U-Net with {name}={options[name]!r} has no counterpart in diffusers; {value!r} has.")
    if betas.ndim != 1 or len(betas) != options["time_scale"]:
        raise ConfigError(
            f"The chain has {len(betas.flatten())} steps and the network counts {options['time_scale']:g} of them; "
            "diffusers shows a network the number of the step itself, so the two must be equal."
        )
    if any(side < 1 or side % unet.divisor for side in image_size):
        raise ConfigError(f"Images of {image_size} do not fit the network; its sides are multiples of {unet.divisor}.")
    if label is not None and not (unet.classes is not None and 0 <= label <= unet.classes):
        raise ConfigError(f"The network has {unet.classes or 'no'} classes, so it cannot always see the label {label}.")
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


# --- the weights -----------------------------------------------------------------------------------------------------


def _steps(unet: UNet) -> Iterator[tuple[str, str, nn.Module]]:
    """Our name, their name and the layer, for the layers of the way down, the middle and the way up."""
    for way in ("down", "up"):
        level = block = 0
        for i, layer in enumerate(getattr(unet, way)):
            if isinstance(layer, Step):
                yield f"{way}.{i}", f"{way}_blocks.{level}.{{}}s.{block}", layer
                block += 1
            if not isinstance(layer, Step):
                yield f"{way}.{i}", f"{way}_blocks.{level}.{way}samplers.0", layer
                level, block = level + 1, 0
        if way == "down":
            for i, layer in enumerate(unet.middle):
                yield f"middle.{i}", f"mid_block.{{}}s.{i}", layer
