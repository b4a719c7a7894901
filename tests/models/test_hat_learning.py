"""That stage one of a Hat Diffusion EBM learns what data look like, where that is known."""

import pytest
import torch
from tiny_hats import COSINE

from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.data.points import Points
from unveil.models.diffusion import Diffusion
from unveil.models.distillation import Distilled
from unveil.models.hat_ebm import Chain, HatEBM
from unveil.models.hat_ebm.training import stage_one
from unveil.networks.plane import PointDenoiser, PointEnergy, PointProposal

DATA = Points(size=2000, modes=4, radius=1.0, std=0.07)
WIDER, STEPS, BATCH = 0.16, 150, 64


def proposing(zoom):
    """A model whose kernel is known: it finds all modes, and makes each more than twice as wide as it is."""
    torch.manual_seed(0)
    diffusion = Diffusion(PointDenoiser(hidden=8), COSINE, (2,), predict="v")
    distilled = Distilled(diffusion, first_steps=2, until=0.256)
    chain = Chain(20, 20, eps=0.02, tau=1e-3, longest=0.5)
    model = HatEBM(PointProposal(hidden=8), distilled, PointEnergy(hidden=64, zoom=zoom), one=chain, bank=BATCH)
    model.generate = lambda z, noise: DATA.centres[(z > 0).long() @ torch.tensor([1, 2])] + WIDER * noise
    return model


def width(x):
    """The standard deviation of points from their nearest centres."""
    return float(torch.cdist(x, DATA.centres).min(1).values.square().mean().div(2).sqrt())


# An energy that cannot bend over lengths as short as a mode's width is no match for the noise of its chains.
@pytest.mark.parametrize(("zoom", "least", "most"), [(8, 0.06, 0.1), (1, WIDER, 0.25)])
def test_chains_make_modes_as_narrow_as_data_if_the_energy_sees_as_finely(zoom, least, most):
    model, random = proposing(zoom), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.energy.parameters(), lr=2e-3)
    for step in range(STEPS):
        x = DATA.points[torch.randint(len(DATA), (BATCH,), generator=random)]
        move = next(stage_one(model, STEPS, Batch(x, {}, Streams(step, BATCH), step)))
        optimizer.zero_grad()
        move.loss.backward()
        optimizer.param_groups[0]["lr"] = 2e-3 * move.rate
        optimizer.step()
    kernel, refined = (model.sample(1000, stage=stage, generator=Streams(7, 1000)) for stage in ("kernel", "one"))
    assert width(kernel) == pytest.approx(WIDER, rel=0.05)
    assert least < width(refined) < most
    shares = torch.cdist(refined, DATA.centres).argmin(1).bincount(minlength=4) / 1000
    assert float((shares - 0.25).abs().sum()) / 2 < 0.1
