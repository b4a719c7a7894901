import pytest
import torch
import torch.nn.functional as F

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks import ImageEnergy, PointDenoiser, PointEnergy, PointProposal, Proposal


@pytest.mark.parametrize(("widths", "downs", "side", "million"), [
    ((256, 256, 256, 256), 2, 32, 4.2), ((64, 128, 256, 512, 1024), 5, 64, 20),
])  # fmt: skip
def test_the_published_energies_have_so_many_weights(widths, downs, side, million):
    with torch.device("meta"):
        network = ImageEnergy(3, widths=widths, downs=downs)
        assert network(torch.zeros(2, 3, side, side)).shape == (2,)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(million, rel=0.06)


def test_the_published_proposal_has_so_many_weights():
    with torch.device("meta"):
        network = Proposal((3, 32, 32))
        assert network(torch.zeros(2, 128)).shape == (2, 3, 32, 32)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(4.3, rel=0.03)


@pytest.mark.parametrize("activation", ["silu", "relu", "leaky", "elu"])
def test_an_image_is_judged_by_itself(activation):
    torch.manual_seed(0)
    network, x = ImageEnergy(1, widths=(8, 8, 8), activation=activation), torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(network(x)[2:3], network(x[2:3]))
    torch.testing.assert_close(network(x), network.eval()(x))


def test_an_energy_is_residual_blocks_an_average_and_one_number():
    torch.manual_seed(0)
    network, x = ImageEnergy(1, widths=(4, 6, 6), downs=1, activation="elu").double(), torch.rand(2, 1, 8, 8).double()
    first, second, third = network.blocks
    h = F.avg_pool2d(first.conv2(F.elu(first.conv1(x))) + first.skip(x), 2)  # sees pixels, so no activation before
    h = second.conv2(F.elu(second.conv1(F.elu(h)))) + second.skip(h)  # wider: a convolution of 1 x 1 beside it
    h = third.conv2(F.elu(third.conv1(F.elu(h)))) + h
    torch.testing.assert_close(network(x), F.elu(h).mean((2, 3)) @ network.last.weight[0])
    assert network.last.bias is None


def test_a_proposal_doubles_the_sides_block_by_block():
    torch.manual_seed(0)
    network, z = Proposal((1, 8, 8), latent=4, widths=(6, 5)).double(), torch.randn(2, 4).double()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.1 * torch.randn_like(value))

    def larger(x):
        return F.interpolate(x, scale_factor=2, mode="bilinear")

    h = network.first(z).reshape(2, 6, 4, 4)
    (block,) = network.blocks
    inner = block.conv1(larger(F.relu(block.affine1.scale * h + block.affine1.shift)))
    inner = block.conv2(F.relu(block.affine2.scale * inner + block.affine2.shift))
    h = inner + larger(block.skip(h))
    out = network.last(F.relu(network.affine.scale * h + network.affine.shift))
    torch.testing.assert_close(network(z), 2 * torch.tanh(out))


def test_with_a_spectral_norm_every_layer_stretches_by_one_at_most():
    torch.manual_seed(0)
    network = ImageEnergy(1, widths=(8, 8), spectral_norm=True)
    for _ in range(30):
        network(torch.rand(2, 1, 8, 8))
    network.eval()
    for block in network.blocks:
        norm = torch.linalg.matrix_norm(block.conv1.weight.flatten(1), 2)
        assert float(norm.detach()) == pytest.approx(1, rel=1e-3)
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(network(x), network(x))


def test_a_proposal_is_a_function_of_its_own_latent_and_reaches_beyond_one():
    torch.manual_seed(0)
    network, z = Proposal((1, 8, 8), latent=4, widths=(8, 8)), torch.randn(3, 4)
    assert torch.allclose(network.train()(z)[1:2], network(z[1:2]), atol=1e-6)
    with torch.no_grad():
        network.last.bias.fill_(9)
    assert float(network(z).max().detach()) == pytest.approx(2, rel=1e-3)


def test_networks_of_points():
    x, t = torch.randn(5, 2), torch.rand(5)
    assert PointDenoiser(hidden=8)(x, t).shape == (5, 2)
    near = PointEnergy(hidden=8)
    assert near(x).shape == (5,)
    finer = PointEnergy(hidden=8, zoom=4)
    finer.load_state_dict(near.state_dict())
    assert torch.equal(finer(x), near(4 * x))
    assert PointProposal(latent=3, hidden=8)(torch.randn(5, 3)).shape == (5, 2)
    with pytest.raises(ShapeError, match=r"latents \(B, 3\)"):
        PointProposal(latent=3)(x)


def test_what_cannot_work_is_refused():
    with pytest.raises(ConfigError, match="no more halvings"):
        ImageEnergy(1, widths=(8,), downs=2)
    with pytest.raises(ConfigError, match="silu or relu"):
        ImageEnergy(1, activation="gelu")
    with pytest.raises(ConfigError, match="zoom=0"):
        PointEnergy(zoom=0)
    with pytest.raises(ShapeError, match="multiples of 4"):
        ImageEnergy(1, widths=(8, 8))(torch.zeros(1, 1, 6, 6))
    with pytest.raises(ConfigError, match="cannot be halved 2 times"):
        Proposal((1, 6, 6), widths=(8, 8, 8))
    with pytest.raises(ShapeError, match="latents"):
        Proposal((1, 8, 8), latent=4, widths=(8, 8))(torch.zeros(1, 5))
