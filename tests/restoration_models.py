"""Small models of restoration, of points and of pictures, and what they are given."""

import torch
from torch import nn

from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.models.restoration import (
    DSWD,
    KLD,
    MMD,
    MMSE,
    Adversarial,
    Restoration,
    noising,
    super_resolution,
)
from unveil.networks import Discriminator, Generator, PointDiscriminator, PointGenerator

PRIORS = {
    "kld": lambda: KLD(PointDiscriminator()),
    "mmd": lambda: MMD(),
    "mmd-features": lambda: MMD(PointDiscriminator()),
    "dswd": lambda: DSWD(shape=(2,), projections=5, inner=2),
    "dswd-features": lambda: DSWD(Adversarial(PointDiscriminator(), lazy=2), shape=(2,), projections=5, inner=2),
    "mmse": lambda: MMSE(),
}


class Truth(nn.Module):
    """A generator that knows the answer, and counts how often it is asked."""

    latent = 3

    def __init__(self, answer=0.25):
        super().__init__()
        self.answer, self.asked = answer, []
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, y, k, z):
        self.asked.append((k.clone(), z.clone()))
        return torch.full_like(y, self.answer) + self.weight


class LogRatio(nn.Module):
    """The best discriminator between N(0, 1), which is real, and N(1.5, 1)."""

    def forward(self, y, k):
        return (1.5**2 / 2 - 1.5 * y).squeeze(1), y


def points_model(prior="kld", **options):
    torch.manual_seed(0)
    return Restoration(PointGenerator(), noising(), (2,), PRIORS[prior](), **options)


def image_model(chain=None, learned=None, channels=1, **options):
    torch.manual_seed(0)
    generator = Generator(channels, channels=8, mult=(1, 2), blocks=1, attention=(), latent=4, style=16)
    learned = learned or KLD(Discriminator(channels, channels=8, mult=(1, 2), time=16))
    return Restoration(generator, chain or super_resolution(3), (channels, 8, 8), learned, **options)


def batch_of(x, step=0, seed=0):
    return Batch(x, {}, Streams(seed, len(x)), step)


def images(n=6, channels=1):
    return torch.rand(n, channels, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1


class Pictures:
    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def batch(self, index, generator=None):
        return self.x[list(index)], {}
