"""Small flows with weights that do something, flows of known density, and pictures for them."""

import torch
from torch import nn

from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.models.multires_cnf import MultiResolutionCNF, Pyramid, ResolutionFlow
from unveil.networks import ConvDynamics
from unveil.ode import Solver
from unveil.pyramids import PatchTransform

EXACT = Solver(rtol=1e-9, atol=1e-9)
VARIANTS = ["unimodular", "haar", "orthonormal"]


def drawn(*shape, seed=0, kind=torch.randn):
    return kind(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Affine(nn.Module):
    """dv/dt = A v + C condition + b."""

    def __init__(self, matrix, told=None, offset=None):
        super().__init__()
        self.matrix = nn.Parameter(matrix)
        self.told = None if told is None else nn.Parameter(told)
        self.offset = None if offset is None else nn.Parameter(offset)

    def forward(self, t, v, condition=None):
        out = v.flatten(1) @ self.matrix.T
        if self.told is not None:
            out = out + condition.flatten(1) @ self.told.T
        if self.offset is not None:
            out = out + self.offset
        return out.reshape(v.shape)


def one_flow(net, shape):
    """A model of one resolution and no preprocessing: the density of a single flow."""
    pyramid = Pyramid(shape, 1, logit="none")
    return MultiResolutionCNF(pyramid, [ResolutionFlow([net], shape[0], standardise=False)])


def small(resolutions=2, side=8, channels=1, *, blocks=1, hidden=(8,), seed=0, transform="unimodular", **options):
    """An untrained model with weights that do something, in double precision."""
    of_pyramid = {name: options.pop(name) for name in ("logit", "alpha") if name in options}
    pyramid = Pyramid((channels, side, side), resolutions, PatchTransform(transform), **of_pyramid)
    standardise = options.pop("standardise", True)
    flows = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for s in range(1, resolutions + 1):
            state, told = pyramid.state_shape(s)[0], 0 if s == resolutions else channels
            nets = [ConvDynamics(state, told, hidden=hidden) for _ in range(blocks)]
            for net in nets:
                nn.init.normal_(net.layers[-1].weight, std=0.1)
            flows.append(ResolutionFlow(nets, state, told, standardise=standardise))
    return MultiResolutionCNF(pyramid, flows, **options).double()


def pixels(n=4, side=8, channels=1, seed=0):
    return drawn(n, channels, side, side, seed=seed, kind=torch.rand) * 2 - 1


def levels_of(n=4, side=8, channels=1, seed=0):
    numbers = torch.randint(0, 256, (n, channels, side, side), generator=torch.Generator().manual_seed(seed))
    return numbers.double() / 127.5 - 1


def trained(**options):
    model = small(**options)
    x = levels_of(20, model.shape[1])
    list(model.moves(Batch(x, generator=Streams(0, 20), step=0), list(range(1, model.resolutions + 1))))
    return model
