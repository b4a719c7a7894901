"""Small models of video, and clips for them."""

import torch
from seeds import awake, seeded

from unveil.core.random import Streams
from unveil.covariance import Identity
from unveil.models.video_diffusion import Layout, VideoDiffusion
from unveil.networks import VideoUNet
from unveil.schedules import Discrete

LINEAR = Discrete.linear()
SHAPE = (2, 8, 8)


def model(p=2, k=3, f=2, *, shape=SHAPE, conditioning="concat", schedule=LINEAR, cov=Identity(), **options):
    torch.manual_seed(0)
    layout = Layout(p, k, f, **options)
    channels = shape[0]
    net = VideoUNet(
        k * channels,
        layout.around * (channels + layout.told),
        channels=8,
        mult=(1, 2),
        blocks=1,
        attention=(1,),
        conditioning=conditioning,
        spatin_channels=8,
        labels=layout.levels + 1 if layout.levels else 0,
    )
    return VideoDiffusion(awake(net), schedule, shape, layout, cov, predict="v")


def clips(n=4, frames=7, shape=SHAPE):
    return torch.rand(n, frames, *shape, generator=seeded()) * 2 - 1


def walk(n=None, **options):
    return {"steps": 4, "generator": Streams(0, n) if n else seeded()} | options
