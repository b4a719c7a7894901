"""A small model of paths, clips of noise, and a lively field, as several tests use them."""

import math

import torch
from seeds import seeded
from torch import nn

from unveil.models.ode_video import Learning, ODEVideo, RecurrentEncoder, StackEncoder
from unveil.networks.frames import FrameDecoder, FrameEncoder
from unveil.networks.latent_dynamics import LatentDynamics
from unveil.ode import Solver

SHAPE = (1, 16, 16)
RK4 = Solver("rk4", steps=1)
DOPRI5 = Solver("dopri5", rtol=1e-5, atol=1e-5)


def clips(n=3, frames=8, shape=SHAPE, seed=0):
    return torch.rand(n, frames, *shape, generator=seeded(seed)) * 2 - 1


def model(
    *,
    stack=0,
    widths=(4, 8),
    latent=6,
    state=None,
    context=5,
    window=8,
    solver=DOPRI5,
    dynamics=None,
    recurrent=None,
    **learning,
):
    torch.manual_seed(0)
    frames = FrameEncoder(max(stack, 1), SHAPE[1:], widths=widths, features=12)
    encoder = (
        StackEncoder(frames, latent, stack, hidden=None)
        if stack
        else RecurrentEncoder(frames, latent, hidden=10, **(recurrent or {}))
    )
    dynamics = dynamics or LatentDynamics(state or latent, hidden=(16,))
    decoder = FrameDecoder(1, SHAPE[1:], state or latent, widths=widths, hidden=None)
    return ODEVideo(
        encoder, dynamics, decoder, SHAPE, Learning(window=window, context=context, **learning), solver
    ).eval()


def lively(scale=3.0):
    """A smooth field whose paths wander about at a distance of about 1.5 from the origin."""
    torch.manual_seed(3)
    net = LatentDynamics(8, hidden=(32, 32)).double()
    for layer in net.layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 1 / math.sqrt(layer.in_features))
    return lambda t, z: scale / 19 * (net(t, z) - 0.3 * z)
