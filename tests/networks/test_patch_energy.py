"""The energy of patches: what it sees, what it costs and which way it points."""

import pytest
import torch
from torch.nn import functional

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks import PatchEnergy


def energy(widths=(6, 5, 4, 3), channels=3, seed=0, **options):
    """An energy with weights large enough that every one matters."""
    torch.manual_seed(seed)
    network = PatchEnergy(channels, widths, **options).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.3)
    return network


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_one_number_sees_one_patch(layers):
    network = energy((4,) * layers)
    border = layers + 1
    assert (network.border, network.field) == (border, 2 * border + 1)
    x = torch.randn(1, 3, 24, 27).double().requires_grad_(True)
    canvas = functional.pad(x, (border,) * 4)
    found = network(canvas)
    assert found.shape == (1, 1, 24, 27)
    (slope,) = torch.autograd.grad(found[0, 0, 12, 13], x)
    seen = slope.abs().sum((0, 1)) > 0
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    assert rows.tolist() == list(range(12 - border, 12 + border + 1))
    assert columns.tolist() == list(range(13 - border, 13 + border + 1))
    assert bool(seen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all())


def test_the_map_moves_with_the_image():
    network = energy()
    x = torch.randn(1, 3, 30, 30).double()
    torch.testing.assert_close(network(x.roll((2, 3), (2, 3)))[..., 2:, 3:], network(x)[..., :-2, :-3])


def test_the_published_networks_have_as_many_weights():
    for widths, thousand in (((64, 32, 32, 32), 38.9), ((128, 64, 64, 64), 151.5), ((24,) * 4, 16.4)):
        weights = sum(layer.weight.numel() for layer in PatchEnergy(3, widths).layers) / 1000
        assert weights == pytest.approx(thousand, rel=0.02)


def test_layers_are_divided_by_their_spectral_norms():
    network = energy()
    network.train()
    for _ in range(200):
        found = network.weights()
    norms = [torch.linalg.matrix_norm(weight.flatten(1), 2).item() for weight, _ in found]
    assert norms[:-1] == pytest.approx([1] * 4, abs=1e-6)
    assert norms[-1] != pytest.approx(1, abs=1e-3)
    plain = energy(spectral_norm=False)
    assert all(
        torch.equal(weight, layer.weight) for (weight, _), layer in zip(plain.weights(), plain.layers, strict=True)
    )
    assert not list(plain.buffers())


def test_power_iterations_are_taken_in_training_alone():
    network = energy()
    before = [buffer.clone() for buffer in network.buffers()]
    network.weights()
    assert all(torch.equal(a, b) for a, b in zip(before, network.buffers(), strict=True))
    network.train()
    network.weights()
    assert not any(torch.equal(a, b) for a, b in zip(before, network.buffers(), strict=True))
    for _ in range(300):
        settled = [buffer.clone() for buffer in network.buffers()]
        network.weights()
    drift = max((a - b).abs().max().item() for a, b in zip(settled, network.buffers(), strict=True))
    assert drift < 1e-4


def test_gradients_reach_the_parameters_through_weights_found_before():
    network = energy().train()
    x = torch.randn(2, 3, 14, 14).double()
    weights = network.weights()
    network(x, weights).mean().backward()
    assert all(bool(parameter.grad.abs().sum() > 0) for parameter in network.parameters())
    constant = [(weight.detach(), bias.detach()) for weight, bias in weights]
    torch.testing.assert_close(network(x, constant), network(x, weights))


def test_the_gradient_through_the_spectral_norm_is_the_true_one():
    network = energy((3,), channels=1).eval()
    x = torch.randn(1, 1, 6, 6).double()
    weight = network.layers[0].weight

    def value(w):
        left = network.left_0
        right = functional.normalize(w.detach().flatten(1).T @ left, dim=0)
        sigma = left @ w.flatten(1) @ right
        return network(
            x, [(w / sigma, network.layers[0].bias), (network.layers[1].weight, network.layers[1].bias)]
        ).sum()

    (slope,) = torch.autograd.grad(network(x).sum(), weight)
    (expected,) = torch.autograd.grad(value(weight), weight)
    torch.testing.assert_close(slope, expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"widths": ()}, "at least one layer between"),
        ({"widths": (4, 0)}, "A width is 0"),
        ({"channels": 0}, "channels is 0"),
        ({"activation": "relu"}, "take elu or silu"),
    ],
)
def test_what_is_no_energy_is_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        PatchEnergy(**{"channels": 3, "widths": (4,), **options})


def test_what_it_cannot_look_at_is_refused():
    network = PatchEnergy(3, (4,))
    for shape in ((1, 1, 9, 9), (1, 3, 4, 9), (3, 9, 9)):
        with pytest.raises(ShapeError, match="5 pixels a side or more"):
            network(torch.zeros(shape))
