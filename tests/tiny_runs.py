"""Trainings that take a second: a few steps of a very small network."""

from unveil.recipes import resolve
from unveil.tasks.train import train

DIFFUSION = ["model.network.channels=8", "model.network.mult=1,2", "model.network.attention=1", "training.batch_size=8"]
CLASSIFIER = ["model.channels=4", "model.features=16", "training.batch_size=16"]
DENOISER = ["model.network.channels=8", "model.network.mult=1,2", "model.network.blocks=1", "training.batch_size=4"]
RESTORATION = [*DIFFUSION, "model.network.blocks=1", "model.network.latent=4", "model.network.style=8"]
CRITIC = [f"model.prior.discriminator.{change}" for change in ("channels=8", "mult=1,2", "time=8")]
POINTS = ["model.network.hidden=8", "training.batch_size=16"]


def shrinking(recipe):
    """What makes a recipe's training small."""
    model = recipe.model
    if model.kind != "restoration":
        return {"classifier": CLASSIFIER, "denoiser": DENOISER}.get(model.kind, DIFFUSION)
    if model.network.kind == "point-generator":
        return POINTS
    return [*RESTORATION, *(CRITIC if getattr(model.prior, "discriminator", None) else [])]


def tiny_run(out, recipe="digits-ddpm", steps=3, overrides=(), **options):
    """Train a shrunken recipe for digits for a few steps."""
    small = shrinking(resolve(recipe))
    return train(recipe, out=out, steps=steps, overrides=[*small, "training.sample_every=0", *overrides], **options)
