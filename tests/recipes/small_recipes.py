"""Every recipe made small, and data of the shape that it is made for."""

import numpy as np

from unveil.body import Body, random_motion, write_amass
from unveil.core.random import Streams
from unveil.recipes import resolve
from unveil.recipes.build import build_data

SHRUNKEN = {
    "diffusion": ["model.network.channels=8", "model.network.blocks=1", "training.batch_size=4"],
    "classifier": ["model.channels=4", "training.batch_size=4"],
    "denoiser": ["model.network.channels=8", "model.network.blocks=1", "training.batch_size=4"],
    "restoration": ["model.network.channels=8", "model.network.blocks=1", "training.batch_size=4"],
    "single-image-ebm": ["model.network.widths=6,6", "model.chain=3", "model.finer_chain=2", "model.bank=2"],
    "codec": ["model.patches=2000"],
    "codec-diffusion": ["model.network.channels=8", "model.codec.patches=2000", "training.batch_size=2"],
    "multires-cnf": [
        "model.hidden=4",
        "model.levels=256",
        "model.test_solver={method: rk4, steps: 1}",
        "training.batch_size=2",
    ],
    "pose-ik": ["model.network.width=16", "training.batch_size=8", "model.held_out=[]", "model.validation=[]"],
    "ode-video": ["model.widths=4,4", "model.latent=4", "training.batch_size=2"],
    "hat-ebm": [
        "model.network.channels=8",
        "model.network.blocks=1",
        "model.generator.widths=8,8",
        "model.energy.widths=8,8",
        "model.energy.downs=2",
        "model.one={steps: 2, test_steps: 2}",
        "model.two={steps: 2, test_steps: 2}",
        "model.first_steps=2",
        "model.bank=4",
        "model.lengths={diffusion: 1, distil: 1, two: 1}",
        "training.batch_size=2",
    ],
    "video-diffusion": [
        "model.network.channels=8",
        "model.network.blocks=1",
        "model.network.head_channels=8",
        "training.batch_size=2",
    ],
}
SHAPES = {"digits": (1, 8, 8), "fashion": (1, 28, 28), "photos": (3, 32, 32), "cifar10": (3, 32, 32), "toy": (2,),
          "imagenet64": (3, 64, 64), "celeba64": (3, 64, 64), "imagenet128": (3, 128, 128)}  # fmt: skip
FRAMES = {
    "moving": (1, 16, 16), "smmnist": (1, 64, 64), "kth": (1, 64, 64), "bair": (3, 64, 64), "cityscapes": (3, 128, 128),
    "ucf101": (3, 64, 64),
}  # fmt: skip


def shrunken(name):
    recipe = resolve(name)
    if "toy" in name:
        return resolve(name, ["training.batch_size=8"])
    changes = [*SHRUNKEN[recipe.model.kind]]
    if recipe.model.kind == "hat-ebm" and recipe.model.network.head_channels:
        changes += ["model.network.head_channels=8", "model.network.mult=1,1", "model.network.attention=1"]
    if recipe.model.kind == "restoration":
        changes += ["model.prior.discriminator.channels=8"]
    if name == "church-codec-categorical":
        changes += ["data.size=64", "training.accumulate=1", "training.precision=fp32"]
    if name == "single-image-large":
        changes += ["model.fine_network.widths=8,6"]
    if name == "cifar10-rgm-dswd":
        changes += ["model.prior.projections=4", "model.prior.inner=2"]
    return resolve(name, changes)


def shape_of(name):
    if name.startswith("single-image"):
        return (3, 48, 66)
    if name.endswith("-ik"):
        return (24, 3, 3)
    if name.startswith("moving-digits-ode"):
        return (1, 16, 16)
    if name.startswith(("photos-codec", "mcm", "church")):
        return (3, 256, 256) if name == "photos-codec" else (3, 64, 64)
    return (3, 48, 48) if name == "photos-denoiser" else (SHAPES | FRAMES)[name.partition("-")[0]]


def open_for(recipe, shape, folder):
    """Data of the shape that a recipe is made for."""
    if len(shape) == 1 or recipe.data.source in ("moving-digits", "motions"):
        return build_data(recipe)
    if recipe.model.kind == "pose-ik":
        body = Body.embedded()
        write_amass(random_motion(body, 12, generator=Streams(0, 1)), folder / "walk.npz", body)
        return build_data(recipe, source=folder)
    if recipe.model.kind == "video-diffusion":
        frames = np.random.default_rng(0).integers(0, 256, (6, 20, *shape), dtype=np.uint8)
        np.save(folder / "noise.npy", frames)
        return build_data(recipe, source=folder / "noise.npy")
    channels, height, width = shape
    count = 1 if recipe.model.kind == "single-image-ebm" else 8
    pictures = np.random.default_rng(0).integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    np.savez(folder / "noise.npz", train_images=pictures, train_labels=np.arange(count) % 2)
    return build_data(recipe, source=folder / "noise.npz")
