"""Digits, a small codec of them, and small diffusions on its codes, as several tests use them."""

from functools import cache

import torch

from unveil.codecs import Codec, fit_codec, parse_name
from unveil.data import open_images
from unveil.models.codec_diffusion import CodecDiffusion, KeptCodec
from unveil.networks import UNet
from unveil.schedules import Discrete

PLANES, SIZE = 2, 16


@cache
def some_digits():
    return open_images("digits", size=8)


@cache
def digit_codec():
    return fit_codec(some_digits().batch(range(400))[0], "OPQ-8", patch=4, bits=4, patches=4000)


def network(codes="categorical", planes=PLANES, size=SIZE, channels=8, self_condition=True):
    outputs = planes * (size if codes == "categorical" else 1)
    return UNet(planes * (1 + self_condition), outputs, channels=channels, mult=(1, 2), blocks=1, attention=())


def small(codec, codes="categorical", net=None, seed=0, **options):
    torch.manual_seed(seed)
    given = net or network(codes, self_condition=options.get("self_condition", True))
    return CodecDiffusion(given, codec, Discrete.linear(50), (1, 8, 8), codes=codes, **options)


def spoken(model):
    """Give a network that says nothing yet random last weights, so that what it says depends on what it is given."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def blank(ordered=True, **options):
    layout = parse_name("OPQ-8", patch=4, bits=4)
    return KeptCodec(Codec(layout, ordered=ordered), patches=2000, pictures=200, **options)
