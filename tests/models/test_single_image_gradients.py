"""The gradient of an energy, whole and in tiles."""

import pytest
import torch
from single_image_models import lively, loud

from unveil.core.random import Streams
from unveil.models.single_image_ebm import tiled_gradient
from unveil.models.single_image_ebm.canvas import Walk, run_canvas
from unveil.models.single_image_ebm.tiles import gradient_of, pixel_bytes, plan
from unveil.networks.patch_energy import PatchEnergy


@pytest.fixture(scope="module")
def ready():
    return lively()


@pytest.mark.parametrize("tile", [7, 16, 64])
def test_tiles_give_the_very_gradient(tile):
    network = loud()
    x = torch.randn(2, 3, 41, 37).double()
    whole = tiled_gradient(network, x, tile=None, halo=10)
    torch.testing.assert_close(tiled_gradient(network, x, tile=tile, halo=10, rows=1), whole, atol=1e-12, rtol=0)
    if tile < 37:
        assert (tiled_gradient(network, x, tile=tile, halo=9) - whole).abs().max() > 1e-6


def test_a_chain_in_tiles_ends_where_the_whole_one_does():
    network = loud()
    x = torch.rand(1, 3, 50, 44).double() * 2 - 1
    walks = [Walk(8, 0.05, tile=tile) for tile in (None, 12)]
    whole, tiles = (run_canvas(network, x, walk) for walk in walks)
    torch.testing.assert_close(whole, tiles, atol=1e-10, rtol=0)
    assert (whole - x).abs().max() > 0.01


def test_tiles_are_chosen_by_the_memory_they_take():
    network = PatchEnergy(3, (128, 64, 64, 64))
    assert pixel_bytes(network) == pytest.approx(3.2e3 * 0.8, rel=0.05)
    assert plan(network, (1, 3, 250, 250)) == (None, 1)
    tile, rows = plan(network, (4, 3, 2000, 2000))
    assert tile is not None
    assert rows == 1
    assert (tile + 20) ** 2 * pixel_bytes(network) <= 2**30
    assert plan(network, (8, 3, 40, 40), budget=2**20)[0] is not None
    assert plan(network, (64, 3, 40, 40), on_cpu=False) == (None, 64)


def test_a_model_draws_the_same_in_tiles(ready):
    a = ready.sample(2, size=(40, 66), generator=Streams(0, 2))
    b = ready.sample(2, size=(40, 66), generator=Streams(0, 2), tile=16)
    torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def test_gradients_are_of_the_sum_and_leave_parameters_alone():
    network = loud()
    x = torch.randn(1, 3, 14, 15).double()
    slope = gradient_of(network, network.weights())(x)
    step = torch.randn_like(x)
    up, down = (network(x + sign * 1e-5 * step).sum() for sign in (1, -1))
    torch.testing.assert_close((slope * step).sum(), (up - down) / 2e-5, rtol=1e-5, atol=0)
    assert network(x - 1e-3 * slope).sum() < network(x).sum()
    assert all(parameter.grad is None for parameter in network.parameters())
