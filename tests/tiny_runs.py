"""Trainings that take a second: a few steps of a very small network."""

from unveil.recipes import resolve
from unveil.tasks.train import train

DIFFUSION = ["model.network.channels=8", "model.network.mult=1,2", "model.network.attention=1", "training.batch_size=8"]
CLASSIFIER = ["model.channels=4", "model.features=16", "training.batch_size=16"]
DENOISER = ["model.network.channels=8", "model.network.mult=1,2", "model.network.blocks=1", "training.batch_size=4"]
CODEC = ["model.codec.name=VQ-4", "model.codec.bits=4", "model.codec.patch=4", "training.batch_size=8"]
REFINER = ["model.refiner.network.channels=8", "model.refiner.network.mult=1,2"]
RESTORATION = [*DIFFUSION, "model.network.blocks=1", "model.network.latent=4", "model.network.style=8"]
CRITIC = [f"model.prior.discriminator.{change}" for change in ("channels=8", "mult=1,2", "time=8")]
SINGLE_IMAGE = ["model.network.widths=8,8,8", "model.chain=4", "model.finer_chain=2", "model.bank=2", "data.longest=64"]
FLOWS = ["model.hidden=4,4", "model.blocks=1", "training.batch_size=8"]
ODE_VIDEO = ["model.widths=4,4", "model.features=8", "model.latent=4", "model.hidden=8", "training.batch_size=4"]
VIDEO = [*DIFFUSION, "model.network.blocks=1", "training.batch_size=2"]
HAT = [
    *DIFFUSION, "model.network.blocks=1", "model.generator.widths=8,8", "model.energy.widths=8,8", "model.bank=32",
    "model.one={steps: 2, test_steps: 2}", "model.two={steps: 2, test_steps: 2}", "model.first_steps=2",
    "model.lengths={diffusion: 1, distil: 1, two: 1}",
]  # fmt: skip
HAT_OF_POINTS = [
    *(f"model.{part}.hidden=8" for part in ("network", "generator", "energy")), "model.bank=32", "model.first_steps=2",
    "model.one.steps=2", "model.one.test_steps=2", "training.batch_size=8", "model.lengths={diffusion: 1, distil: 1, two: 1}",
]  # fmt: skip
POSES = ["model.network.width=16", "training.batch_size=8"]
POINTS = ["model.network.hidden=8", "training.batch_size=16"]


def shrinking(recipe):
    """What makes a recipe's training small."""
    model = recipe.model
    if model.kind == "codec":
        return ["model.patches=2000", "model.pictures=50"]
    if model.kind == "ode-video":
        return ODE_VIDEO
    if model.kind == "pose-ik":
        return POSES
    if model.kind == "distilled":
        return [f"model.first_steps={2 * model.steps}", "training.batch_size=8"]
    if model.kind == "hat-ebm":
        return HAT_OF_POINTS if model.of_points else HAT
    if model.kind == "multires-cnf":
        return FLOWS
    if model.kind == "codec-diffusion":
        return [*DIFFUSION, *CODEC, *(REFINER if model.refiner else [])]
    if model.kind == "single-image-ebm":
        return [*SINGLE_IMAGE, *(["model.fine_network.widths=8,8,8"] if model.fine_network else [])]
    if model.kind != "restoration":
        return {"classifier": CLASSIFIER, "denoiser": DENOISER, "video-diffusion": VIDEO}.get(model.kind, DIFFUSION)
    if model.network.kind == "point-generator":
        return POINTS
    return [*RESTORATION, *(CRITIC if getattr(model.prior, "discriminator", None) else [])]


def tiny_run(out, recipe="digits-ddpm", steps=3, overrides=(), **options):
    """Train a shrunken recipe for digits for a few steps."""
    small = shrinking(resolve(recipe))
    return train(recipe, out=out, steps=steps, overrides=[*small, "training.sample_every=0", *overrides], **options)
