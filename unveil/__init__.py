"""Generative models you can read: something is known, the rest is unveiled.

Names are fetched when they are first used, so `import unveil` costs nothing and the command line can answer without
loading torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unveil.core.errors import UnveilError as UnveilError
    from unveil.core.random import Streams as Streams
    from unveil.data import load_image as load_image
    from unveil.data import open_images as open_images
    from unveil.data import open_videos as open_videos
    from unveil.data import read_video as read_video
    from unveil.data import save_images as save_images
    from unveil.data import write_video as write_video
    from unveil.models.diffusion import Diffusion as Diffusion
    from unveil.networks.unet import UNet as UNet
    from unveil.recipes.reading import resolve as resolve
    from unveil.tasks.diffusers import export as export
    from unveil.tasks.distil import distil as distil
    from unveil.tasks.edit import edit as edit
    from unveil.tasks.evaluate import evaluate as evaluate
    from unveil.tasks.likelihood import likelihood as likelihood
    from unveil.tasks.refine import refine as refine
    from unveil.tasks.restore import restore as restore
    from unveil.tasks.run import Run as Run
    from unveil.tasks.run import load as load
    from unveil.tasks.sample import sample as sample
    from unveil.tasks.train import train as train

__version__ = "0.1.0"

_HOMES = {
    "Diffusion": "models.diffusion",
    "Run": "tasks.run",
    "Streams": "core.random",
    "UNet": "networks.unet",
    "UnveilError": "core.errors",
    "distil": "tasks.distil",
    "edit": "tasks.edit",
    "evaluate": "tasks.evaluate",
    "export": "tasks.diffusers",
    "likelihood": "tasks.likelihood",
    "load": "tasks.run",
    "load_image": "data",
    "open_images": "data",
    "open_videos": "data",
    "read_video": "data",
    "refine": "tasks.refine",
    "resolve": "recipes.reading",
    "restore": "tasks.restore",
    "sample": "tasks.sample",
    "save_images": "data",
    "train": "tasks.train",
    "write_video": "data",
}
_ROOMS = ["body", "codecs", "core", "covariance", "data", "divergences", "geometry", "inverse", "mcmc", "metrics", "models",
          "networks", "ode", "operators", "recipes", "samplers", "schedules", "tasks", "training"]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *_ROOMS])
