"""What Hat Diffusion EBMs refuse."""

import copy
import math

import pytest
import torch
from tiny_hats import SHAPE, Pictures, distilled, ready
from torch import nn

from unveil.core.errors import ConfigError, DataError, DivergenceError, ShapeError
from unveil.core.random import Streams
from unveil.models.hat_ebm import Chain, HatEBM, LatentMove, Lengths, Objective, Pairs
from unveil.models.hat_ebm.chains import refine_residual
from unveil.networks import ImageEnergy, Proposal


def test_networks_that_look_at_their_batch_are_refused():
    with pytest.raises(ConfigError, match="energy has a BatchNorm2d"):
        HatEBM(Proposal(SHAPE, latent=4, widths=(8, 8)), distilled(), nn.Sequential(nn.BatchNorm2d(1)), one=Chain(1, 1))
    proposal = Proposal(SHAPE, latent=4, widths=(8, 8))
    proposal.last = nn.Sequential(nn.Dropout(0.5), proposal.last)
    with pytest.raises(ConfigError, match="generator has a Dropout"):
        HatEBM(proposal, distilled(), ImageEnergy(1, widths=(8,), downs=1), one=Chain(1, 1))


def test_a_kernel_of_several_steps_is_refused():
    with pytest.raises(ConfigError, match="distilled to 2"):
        HatEBM(
            Proposal(SHAPE, latent=4, widths=(8, 8)),
            distilled(steps=2),
            ImageEnergy(1, widths=(8,), downs=1),
            one=Chain(1, 1),
        )


@pytest.mark.parametrize(("x", "error", "said"), [
    (torch.zeros(1, 1, 4, 4), ShapeError, "made for samples of shape"),
    (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), DataError, "floating point"),
    (torch.full((1, 1, 8, 8), 200.0), DataError, "look like"), (torch.full((1, 1, 8, 8), 1.01), DataError, "reach 1.01"),
    (torch.full((1, 1, 8, 8), math.nan), DataError, "reach nan"),
])  # fmt: skip
def test_images_that_cannot_be_are_refused(x, error, said):
    with pytest.raises(error, match=said):
        ready().refine(x)


def test_a_mask_that_does_not_fit_is_refused_and_other_precisions_are_brought_to_the_models():
    model, x = ready(), Pictures().x[:2]
    with pytest.raises(ShapeError, match=r"such as \(1, 1, 8, 8\); it has \(1, 1, 4, 4\)"):
        model.refine(x, mask=torch.ones(1, 1, 4, 4))
    assert model.refine(x.double(), generator=Streams(0, 2)).dtype == torch.float32


def test_an_energy_of_another_shape_or_without_end_is_refused():
    model = ready()
    model.energy = nn.Flatten()
    with pytest.raises(ShapeError, match="one number a sample"):
        model.sample(2, stage="one")
    x = torch.ones(1, 2)
    with pytest.raises(DivergenceError, match="step 1 of 2"):
        refine_residual(lambda x: x.sum(1) * math.inf, x, 0 * x, Chain(1, 1), steps=2)


@pytest.mark.parametrize("wrong", [
    lambda: Chain(0, 1), lambda: Chain(1, 1, eps=0), lambda: Chain(1, 1, tau=-1), lambda: Chain(1, 1, longest=0),
    lambda: LatentMove(eps=0), lambda: Lengths(diffusion=0), lambda: Lengths(two=-1), lambda: Objective(moved=0),
    lambda: Objective(penalty=math.nan), lambda: Pairs(0, SHAPE, 2),
])  # fmt: skip
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()


def test_proposals_of_the_wrong_length_are_refused():
    with pytest.raises(ShapeError, match=r"latents \(B, 4\)"):
        copy.deepcopy(ready()).generate(torch.zeros(2, 5), torch.zeros(2, *SHAPE))
