"""Photographs that scikit-image brings along, as tests of codecs use them."""

from functools import cache

import torch
from skimage import data

from unveil.codecs import fit_codec


def tensor(pixels):
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


@cache
def photo(name):
    """(3, H, W), uint8."""
    return tensor(getattr(data, name)())


@cache
def fitted(name="OPQ-32-8-8", patches=30_000, **options):
    """A codec fitted to three photographs; the astronaut is left out."""
    return fit_codec([photo("chelsea"), photo("coffee"), photo("rocket")], name, patches=patches, **options)


def decibels(x, y):
    return float(10 * torch.log10(255**2 / (x.double() - y.double()).square().mean()))


def through(codec, x):
    """A picture (C, H, W) in uint8, encoded and decoded."""
    return codec.decode(codec.encode(x[None]), x.shape[1:], to_bytes=True)[0]
