import pytest
import torch

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.random import Streams
from unveil.models.denoiser import BlindDenoiser
from unveil.networks.bias_free import BiasFreeUNet


def small(channels=3, **options):
    torch.manual_seed(0)
    return BlindDenoiser(BiasFreeUNet(channels, channels=8, mult=(1, 2), blocks=1), channels, **options)


def test_twice_the_input_is_twice_the_answer():
    net, y = small().net.double(), torch.randn(2, 3, 16, 24, dtype=torch.float64)
    torch.testing.assert_close(net(3 * y), 3 * net(y))


@pytest.mark.parametrize("size", [(16, 16), (7, 9), (1, 30), (33, 20)])
def test_pictures_of_any_size_keep_it(size):
    assert small().net(torch.randn(1, 3, *size)).shape == (1, 3, *size)


def test_far_pixels_do_not_matter():
    """A piece with some dozens of pixels around it is restored as in the whole picture: windows may be used."""
    net = BiasFreeUNet(1, channels=8, mult=(1, 2, 4), blocks=1)
    y = torch.randn(1, 1, 128, 128)
    with torch.no_grad():
        whole, piece = net(y), net(y[..., 16:112, 16:112])
    torch.testing.assert_close(whole[..., 56:72, 56:72], piece[..., 40:56, 40:56])


def test_the_noise_it_learns_has_the_strengths_that_were_asked():
    model = small(sigma_min=0.05, sigma_max=0.2)
    seen = []
    model.net = torch.nn.Module()
    model.net.forward = lambda y: seen.append(y) or torch.zeros_like(y)
    model.loss(torch.zeros(400, 3, 16, 16), torch.Generator().manual_seed(0))
    strength = seen[0].std((1, 2, 3))
    assert 0.045 < float(strength.min()) < 0.056
    assert 0.18 < float(strength.max()) < 0.22
    assert abs(float(strength.log().mean()) - 0.5 * (torch.tensor([0.05, 0.2]).log().sum())) < 0.08


def test_levels_rise_geometrically_and_hide_what_they_say():
    model = small(sigma_min=0.05, sigma_max=0.2)
    sigmas = torch.tensor(model.sigmas)
    torch.testing.assert_close(sigmas[0], torch.tensor(0.05))
    torch.testing.assert_close(sigmas[-1], torch.tensor(0.2))
    torch.testing.assert_close(sigmas[1:] / sigmas[:-1], (sigmas[1] / sigmas[0]).expand(len(sigmas) - 1))
    x = torch.full((1, 3, 64, 64), 0.5)
    y = model.degrade(x, 64, Streams(0, 1), scale=0.5)
    assert abs(float((y - x).std()) - 0.1) < 0.003


def test_a_few_steps_lower_the_loss():
    model = small()
    x = torch.rand(16, 3, 16, 16).mul(2).sub(1).mean((2, 3), keepdim=True).expand(-1, -1, 16, 16)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for step in range(60):
        loss = model.loss(x, torch.Generator().manual_seed(step % 4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-4:]) < 0.6 * sum(losses[:4])


@pytest.mark.parametrize("level", [0, 65, -1])
def test_levels_that_are_not_there(level):
    with pytest.raises(ConfigError, match="levels 1 to 64"):
        small().degrade(torch.zeros(1, 3, 8, 8), level)


def test_what_cannot_be():
    with pytest.raises(ConfigError, match="sigma_min < sigma_max"):
        small(sigma_min=0.3, sigma_max=0.2)
    with pytest.raises(ShapeError, match="made for images"):
        small().loss(torch.zeros(2, 1, 8, 8))
    with pytest.raises(ShapeError, match="takes images"):
        small().net(torch.zeros(2, 1, 8, 8))
    with pytest.raises(ConfigError, match="at least 1"):
        BiasFreeUNet(3, mult=())
