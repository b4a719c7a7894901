"""A picture, and small energy-based models of it, as several tests use them."""

import torch

from unveil.models.single_image_ebm import SingleImageEBM
from unveil.networks.patch_energy import PatchEnergy
from unveil.pyramids import resize, scale_sizes
from unveil.training.options import Options
from unveil.training.trainer import fit

SIZE = (24, 30)
OPTIONS = Options(batch_size=1, lr=2e-3, betas=(0.5, 0.999), decay="linear", clip=0, ema=0, log_every=5)


class Picture:
    """A data set of one picture."""

    def __init__(self, x, hole=None):
        self.x, self.hole = x, hole

    def __len__(self):
        return 1

    def batch(self, index, generator=None):
        x = self.x.expand(len(index), -1, -1, -1).clone()
        return x, {} if self.hole is None else {"hole": self.hole.expand(len(index), -1, -1, -1).clone()}


def picture(channels=3, size=SIZE):
    """Blobs of colour."""
    coarse = torch.rand(1, channels, 5, 6, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2
    return resize(coarse, size).clamp(-1, 1)[0]


def model(channels=3, size=SIZE, widths=(4, 4), seed=0, min_size=12, **options):
    torch.manual_seed(seed)
    sizes = scale_sizes(*size, min_size=min_size)
    networks = [PatchEnergy(channels, widths) for _ in sizes]
    return SingleImageEBM(networks, sizes, **{"chain": 5, "finer_chain": 3, "bank": 3, "finer_share": 0.5, **options})


def trained(steps=6, hole=None, run=None, options=OPTIONS, **given):
    found = model(**given)
    fit(found, Picture(picture(found.channels), hole), steps, options, run=run, progress=False, device="cpu")
    return found


def lively():
    """A trained model whose weights are large enough that chains go somewhere."""
    found = trained()
    with torch.no_grad():
        for energy in found.energies:
            for layer in energy.layers:
                layer.weight.normal_(std=0.4, generator=torch.Generator().manual_seed(1))
    return found


def loud(seed=0, widths=(5, 4, 4, 4), channels=3):
    torch.manual_seed(seed)
    network = PatchEnergy(channels, widths).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.3)
    return network
