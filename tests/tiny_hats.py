"""Hat Diffusion EBMs of pictures that are trained, or made as if they were, in a moment.

As a program it trains one in a folder, as one process of several: python tiny_hats.py FOLDER.
"""

import sys
from pathlib import Path

import torch

from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.models.diffusion import Diffusion
from unveil.models.distillation import Distilled
from unveil.models.hat_ebm import Chain, HatEBM, Lengths
from unveil.models.hat_ebm.training import fill_pairs
from unveil.networks import ImageEnergy, Proposal, UNet
from unveil.schedules import Discrete
from unveil.training.options import Options
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit

SHAPE = torch.Size((1, 8, 8))
COSINE = Discrete.cosine()


class Pictures:
    shape, classes, fingerprint = (1, 8, 8), None, "pictures"

    def __init__(self, size=64):
        self.x = torch.rand(size, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def __len__(self):
        return len(self.x)

    def batch(self, index, generator=None):
        return self.x[torch.as_tensor(index)], {}


def distilled(**options):
    net = UNet(1, channels=8, mult=(1,), blocks=1, attention=())
    return Distilled(Diffusion(net, COSINE, SHAPE, predict="v"), **{"first_steps": 4, "until": 0.256, **options})


def small(**options):
    torch.manual_seed(0)
    energy = ImageEnergy(1, widths=(8, 8), downs=2)
    chosen = {"one": Chain(3, 4), "bank": 32, "lengths": Lengths(0.5, 0.5, 0.5), **options}
    return HatEBM(Proposal(SHAPE, latent=4, widths=(8, 8)), distilled(), energy, **chosen)


def ready(reached=2, **options):
    """A model as if it had been trained."""
    model = small(**options).eval()
    model.distilled.begin(model.diffusion)
    fill_pairs(model, Streams(3, 8))
    model.reached.fill_(reached)
    return model


def batch_of(n=8, step=0, seed=0):
    return Batch(Pictures().x[:n], {}, Streams(seed, n), step)


def weights_of(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def unchanged(module, before):
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def stage_named(model, name, steps=4):
    return next(stage for stage in model.stages(steps) if stage.name == name)


def train(folder, steps=3):
    """Train one in a folder that holds the run of nobody yet, or the beginning of this."""
    model, options = small(), Options(batch_size=8, ema=0, lr=1e-3)
    fit(model, Pictures(), steps, options, run=RunFolder(folder), progress=False, device="cpu")
    return model


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(Path(sys.argv[1]))
