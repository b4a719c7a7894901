"""Trainings that take a second: a few steps of a very small network."""

from unveil.tasks.train import train

DIFFUSION = ["model.network.channels=8", "model.network.mult=1,2", "model.network.attention=1", "training.batch_size=8"]
CLASSIFIER = ["model.channels=4", "model.features=16", "training.batch_size=16"]


def tiny_run(out, recipe="digits-ddpm", steps=3, overrides=(), **options):
    """Train a shrunken recipe for digits for a few steps."""
    small = CLASSIFIER if recipe.endswith("-features") else DIFFUSION
    return train(recipe, out=out, steps=steps, overrides=[*small, "training.sample_every=0", *overrides], **options)
