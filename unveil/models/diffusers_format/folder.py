"""The folder: a `UNet2DModel`, or a pipeline of one and a scheduler."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from unveil.core.errors import ConfigError, DataError
from unveil.core.files import check_new, new_file
from unveil.core.json_file import write_json
from unveil.models.diffusers_format.architecture import our_options, their_config
from unveil.models.diffusers_format.scheduler import Predict, our_chain, their_scheduler
from unveil.models.diffusers_format.weights import to_ours, to_theirs
from unveil.networks.unet import UNet

_WEIGHTS = "diffusion_pytorch_model.safetensors"
_SCHEDULER = "scheduler_config.json"


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
    chains = [path for path in (folder / "scheduler", folder) if (path / _SCHEDULER).is_file()]
    predict: Predict = "eps"
    betas: Tensor | None = None
    if chains:
        predict, betas = our_chain(_read_json(chains[0] / _SCHEDULER))
    options = our_options(config, time_scale=1000.0 if betas is None else float(len(betas)))
    weights = to_ours(_read_weights(place), options, cosine_first=config.get("flip_sin_to_cos", True))
    size = config.get("sample_size")
    if isinstance(size, int):
        size = (size, size)
    return DiffusersUNet(options, weights, predict, betas, tuple(size) if size else None)


def write_diffusers(
    folder: str | Path,
    unet: UNet,
    betas: Tensor,
    image_size: int | tuple[int, int],
    *,
    predict: Predict = "eps",
    clip: bool = True,
    label: int | None = None,
    force: bool = False,
) -> Path:
    """Write a folder that `diffusers.DDPMPipeline.from_pretrained` opens.

    The pipeline adds white noise, and knows no labels: of a network with classes it gets the one that always sees
    `label`, or no label.

    Args:
        folder: where to; it must not exist, or be empty, without `force`.
        unet: a network in the style "ddpm" with the sinusoidal embedding.
        betas: beta_1 .. beta_L of the chain it was trained on, as many as its `time_scale`; (L,).
        image_size: one side, or height and width, of the pictures to sample.
        predict: what the network predicts.
        clip: whether the pipeline clips its estimates of the picture to [-1, 1].
        label: what a network with classes always sees.
        force: write over what is there.

    Returns:
        The folder.

    Raises:
        ConfigError: the network cannot be said in the words of `UNet2DModel`, and why.
        ExistsError: something is in the folder already.
    """
    folder = Path(folder)
    config = their_config(unet, (image_size, image_size) if isinstance(image_size, int) else image_size)
    scheduler = their_scheduler(betas, predict, clip)
    if betas.ndim != 1 or len(betas) != unet.options["time_scale"]:
        raise ConfigError(
            f"The chain has {betas.numel()} steps, and the network counts {unet.options['time_scale']:g} of them; "
            "diffusers shows a network the number of the step itself, so the two must be equal."
        )
    weights = to_theirs(unet, label)
    check_new(folder, force, folder=True)
    with new_file(folder / "unet" / _WEIGHTS, force=True) as file:
        save_file(weights, file, metadata={"format": "pt"})
    index = {
        "_class_name": "DDPMPipeline",
        "_diffusers_version": "0.35.0",
        "scheduler": ["diffusers", "DDPMScheduler"],
        "unet": ["diffusers", "UNet2DModel"],
    }
    for name, told in (
        ("unet/config.json", config),
        (f"scheduler/{_SCHEDULER}", scheduler),
        ("model_index.json", index),
    ):
        write_json(folder / name, told, force=True, indent=2)
    return folder


def _read_weights(folder: Path) -> dict[str, Tensor]:
    path = folder / _WEIGHTS
    if not path.is_file():
        if list(folder.glob("*.bin")):
            raise DataError(
                f"{folder} holds its weights only as a pickle (.bin), which could run any program when opened; open it "
                "once in diffusers and write it with save_pretrained(safe_serialization=True)."
            )
        raise DataError(f"{folder} has no {_WEIGHTS}; give a folder that diffusers wrote with save_pretrained.")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is damaged or cannot be read: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"There is no {path}; give a folder that diffusers wrote with save_pretrained.")
    try:
        config = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is damaged or cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise DataError(f"{path} holds no table of options.")
    return config
