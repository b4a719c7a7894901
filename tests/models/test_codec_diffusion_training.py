"""Small trainings of a diffusion on codes, and of its refiner, learn."""

import math

import pytest
import torch
from codec_models import SIZE, digit_codec, network, small, some_digits

from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.models.codec_diffusion import Refiner, disturbed
from unveil.networks import UNet
from unveil.training.options import Options
from unveil.training.trainer import fit


@pytest.fixture(scope="module")
def digits():
    return some_digits()


@pytest.fixture(scope="module")
def codec():
    return digit_codec()


@pytest.mark.parametrize("codes", ["continuous", "categorical"])
def test_a_small_training_lowers_its_loss(codec, digits, codes):
    model = small(codec, codes, net=network(codes, channels=16))
    x, times = digits.batch(range(64))[0], torch.linspace(0.02, 1, 64, dtype=torch.float64).mul(50).ceil() / 50

    def loss():
        with torch.no_grad():
            terms, _ = model.terms(x, Streams(0, 64), times)
            return float(terms.total(1.0, 0.0))

    before = loss()
    fit(model, digits, 60, Options(batch_size=16, lr=3e-3, ema=0.0), progress=False, device="cpu")
    assert loss() < 0.8 * before


def test_a_refiner_learns_to_mend(codec, digits):
    torch.manual_seed(0)
    mender = UNet(1, channels=8, mult=(1, 2), blocks=1, attention=())
    model = small(codec, "continuous", refiner=Refiner(mender, spread=(1.0, 1.0), share=1.0))
    assert [(stage.name, stage.steps) for stage in model.stages(10)] == [("generator", 10), ("refiner", 10)]
    assert [stage.steps for stage in model.stages({"generator": 3, "refiner": 4})] == [3, 4]
    x = digits.batch(range(64))[0]
    spoiled = disturbed(codec.encode(x), SIZE, (1.0, 1.0), Streams(0, 64))
    before = (model.decode(spoiled, refine=False) - x).abs().mean()
    torch.testing.assert_close(
        model.decode(spoiled), model.decode(spoiled, refine=False)
    )  # it begins by changing nothing
    generator = [parameter.clone() for parameter in model.net.parameters()]
    optimizer = torch.optim.AdamW(model.refiner.parameters(), lr=3e-3)
    for step in range(40):
        (move,) = model.refiner_moves(Batch(x, {}, Streams(step, 64), step))
        move.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (model.decode(spoiled) - x).abs().mean() < 0.95 * before
    assert all(torch.equal(a, b) for a, b in zip(generator, model.net.parameters(), strict=True))


def test_other_weights_of_the_terms_and_straight_draws_train_too(codec, digits):
    x = digits.batch(range(4))[0]
    model = small(codec, image_weight=2.0, cross_entropy=0.5, straight_through=True, min_snr=None)
    terms, _ = model.terms(x, Streams(0, 4))
    expected = terms.noise + 2.0 * terms.image + 0.5 * terms.odds
    torch.testing.assert_close(model.loss(x, Streams(0, 4)), expected)
    # A new network finds all codes equally likely.
    assert float(terms.odds.detach()) == pytest.approx(math.log(SIZE), abs=1e-4)
