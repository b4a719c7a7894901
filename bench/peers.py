"""The libraries that Unveil is measured against, given the same networks and the same weights."""

import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from unveil.models.diffusers_format import write_diffusers
from unveil.models.diffusers_format.architecture import their_config
from unveil.models.diffusion import Diffusion
from unveil.networks.unet import UNet
from unveil.schedules import Discrete

DIFFUSERS = "diffusers"
DENOISING = "denoising-diffusion-pytorch"


@dataclass(frozen=True)
class Size:
    """A network and the images it is for.

    Attributes:
        name: what to call it.
        options: of `UNet`.
        side: of its square images.
        dim: width of the other library's own network with about as many parameters.
        mults: widths of its levels, in multiples of `dim`.
    """

    name: str
    options: dict[str, Any]
    side: int
    dim: int
    mults: tuple[int, ...]

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return int(self.options["in_channels"])

    def model(self, **options: Any) -> Diffusion:
        """Our model, with weights that leave nothing at zero."""
        torch.manual_seed(0)
        net = UNet(**self.options)
        for value in net.parameters():
            if not value.detach().any():
                nn.init.normal_(value, std=0.02)
        return Diffusion(net, Discrete.linear(), (self.channels, self.side, self.side), **options)


TINY = Size(
    "tiny",
    {"in_channels": 1, "channels": 16, "mult": (1, 2), "blocks": 1, "attention": (1,)},
    side=16,
    dim=16,
    mults=(1, 2),
)
SMALL = Size(
    "1M",
    {"in_channels": 3, "channels": 32, "mult": (1, 2, 2), "blocks": 1, "attention": (2,)},
    side=32,
    dim=16,
    mults=(1, 2, 4),
)
LARGE = Size(
    "35M",
    {"in_channels": 3, "channels": 128, "mult": (1, 2, 2, 2), "blocks": 2, "attention": (1,), "dropout": 0.1},
    side=32,
    dim=64,
    mults=(1, 2, 4, 8),
)


def parameters(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


def diffusers_name() -> str:
    return f"{DIFFUSERS} {version(DIFFUSERS)}"


def diffusers_network(model: Diffusion) -> nn.Module:
    """A diffusers `UNet2DModel` of the same architecture and weights as a model's network."""
    from diffusers import UNet2DModel

    assert isinstance(model.net, UNet)
    assert isinstance(model.schedule, Discrete)
    with tempfile.TemporaryDirectory() as folder:
        write_diffusers(Path(folder) / "run", model.net, model.schedule.betas, model.shape[1])
        network: nn.Module = UNet2DModel.from_pretrained(Path(folder) / "run" / "unet")
    return network


def diffusers_alone(size: Size) -> nn.Module:
    """The same network with weights of its own, made without a network of ours taking memory beside it."""
    from diffusers import UNet2DModel

    with torch.device("meta"):
        config = their_config(UNet(**size.options), (size.side, size.side))
    network: nn.Module = UNet2DModel.from_config(config)
    return network


def diffusers_sampling(network: nn.Module, x: Tensor, steps: int, **options: Any) -> Tensor:
    """DDIM as `DDIMPipeline` walks it, without its progress bar and its conversion to pictures."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    with torch.no_grad():
        for t in scheduler.timesteps:
            x = scheduler.step(network(x, t).sample, t, x, **options).prev_sample
    return x


def denoising_library(folder: str | None) -> ModuleType | None:
    """denoising-diffusion-pytorch, if it is there."""
    return library_without_torchvision("denoising_diffusion_pytorch", folder)


def library_without_torchvision(name: str, folder: str | None) -> ModuleType | None:
    """A library, if it is there (or in a folder), that wants torchvision, which wants operators of its own."""
    if folder is not None:
        sys.path.append(folder)
    operators = torch.library.Library("torchvision", "DEF")
    try:
        for operator in ("nms", "qnms"):
            operators.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library = import_module(name)
    except ImportError:
        return None
    library.operators = operators  # kept as long as the library is
    return library


def denoising_model(library: ModuleType, size: Size, steps: int, **options: Any) -> nn.Module:
    """The other library's model, whose own network is about as large as ours."""
    torch.manual_seed(0)
    network = library.Unet(dim=size.dim, dim_mults=size.mults, channels=size.channels)
    return library.GaussianDiffusion(
        network,
        image_size=size.side,
        timesteps=1000,
        sampling_timesteps=steps,
        beta_schedule="linear",
        objective="pred_noise",
        **options,
    )


def denoising_name(other: nn.Module | None, model: Diffusion | None = None) -> str:
    """What to call the other library, with how its own network compares to ours in weights and multiplications."""
    if other is None or model is None:
        return f"{DENOISING} (absent)"
    x, t = torch.zeros(1, *model.shape, device=model.device), torch.ones(1, device=model.device)
    weights = parameters(other.model) / parameters(model.net)
    work = operations(other.model, x, t) / operations(model.net, x, t)
    return f"{DENOISING} {version(DENOISING)} (its own network: {weights:.2f} of our weights, {work:.2f} of our work)"


def operations(network: nn.Module, x: Tensor, t: Tensor) -> int:
    """Multiplications and additions of one call."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(x, t)
    return counter.get_total_flops()
