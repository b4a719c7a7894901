import pytest
import torch
from seeds import awake, seeded

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks import Discriminator, Generator, PointDiscriminator, PointGenerator
from unveil.networks.discriminator import spread
from unveil.networks.layers import AdaptiveNorm, GroupNorm

K = torch.tensor([0, 1, 3])


def generator(**options):
    torch.manual_seed(0)
    return Generator(2, **({"channels": 8, "mult": (1, 2), "blocks": 1, "latent": 6, "style": 16} | options))


def test_a_style_of_no_weight_leaves_plain_group_normalization():
    norm, plain = AdaptiveNorm(2, 8, 16), GroupNorm(2, 8, 1e-6)
    x, style = torch.randn(3, 8, 4, 4, generator=seeded()), torch.randn(3, 16, generator=seeded(1))
    assert not torch.allclose(norm(x, style), plain(x))
    torch.nn.init.zeros_(norm.steer.weight)
    torch.testing.assert_close(norm(x, style), plain(x))


def test_features_depend_on_the_latent_from_the_start():
    net = generator()
    seen = {}
    net.middle[0].block.norm2.register_forward_hook(lambda _, inputs, out: seen.setdefault(len(seen), out))
    y = torch.randn(3, 2, 8, 8, generator=seeded())
    first, second = (net(y, K, torch.randn(3, 6, generator=seeded(seed))) for seed in (1, 2))
    assert (seen[0] - seen[1]).abs().max() > 1e-3
    assert first.abs().max() < 1e-2  # and the answer begins near zero
    assert second.abs().max() < 1e-2


def test_the_answer_depends_on_latent_level_and_image_and_stays_in_range():
    net = awake(generator(attention=(0,)))
    y, z = 3 * torch.randn(3, 2, 8, 12, generator=seeded()), torch.randn(3, 6, generator=seeded(1))
    x_hat = net(y, K, z)
    assert x_hat.shape == y.shape
    assert x_hat.abs().max() <= 1
    for other in (net(y, K, z.flip(0)), net(y, K + 1, z), net(y + 0.1, K, z)):
        assert (other - x_hat).abs().max() > 1e-4
    torch.testing.assert_close(net(y[1:2], K[1:2], z[1:2]), x_hat[1:2], rtol=1e-4, atol=1e-5)


def test_every_parameter_of_the_networks_learns():
    y = torch.randn(4, 2, 8, 8, generator=seeded())
    k = torch.tensor([0, 1, 2, 3])
    net = awake(generator())
    net(y, k, torch.randn(4, 6, generator=seeded(1))).square().sum().backward()
    critic = awake(Discriminator(2, channels=8, mult=(1, 2), time=16))
    critic(y, k)[0].square().sum().backward()
    for each in (net, critic):
        silent = [name for name, value in each.named_parameters() if value.requires_grad and value.grad is None]
        assert not silent


def test_a_critic_answers_logits_and_features():
    critic = awake(Discriminator(3, channels=8, mult=(1, 2, 4, 4), time=16))
    y = torch.randn(4, 3, 32, 32, generator=seeded())
    logit, features = critic(y, torch.tensor([0, 1, 2, 3]))
    assert logit.shape == (4,)
    assert features.shape == (4, 32, 4, 4)
    assert (critic(y, torch.tensor([1, 1, 2, 3]))[0] - logit).abs()[0] > 1e-6  # it is told the level


def test_the_slope_of_a_critic_can_be_trained_on():
    critic = awake(Discriminator(1, channels=8, mult=(1, 2), time=16))
    y = torch.randn(4, 1, 8, 8, generator=seeded()).requires_grad_()
    slope = torch.autograd.grad(critic(y, torch.zeros(4).long())[0].sum(), y, create_graph=True)[0]
    slope.square().sum().backward()
    assert critic.first.weight.grad.abs().max() > 0


def test_the_spread_is_that_of_each_group():
    x = torch.randn(8, 3, 2, 2, generator=seeded(), dtype=torch.float64)
    found = spread(x, 4)
    for i in (0, 1):
        expected = x[i::2].std(0, unbiased=False).mean().item()
        assert found[i::2].flatten().tolist() == pytest.approx([expected] * 16, rel=1e-6)
    assert spread(x[:6], 4).shape == (6, 1, 2, 2)  # pairs
    assert spread(x[:1], 4).max() < 1e-3


def test_networks_of_points():
    y, k = torch.randn(5, 2, generator=seeded()), torch.arange(5) % 4
    made = PointGenerator(2, steps=4, latent=3)
    assert made(y, k, torch.zeros(5, 3)).shape == (5, 2)
    logit, features = PointDiscriminator(2, steps=4)(y, k)
    assert logit.shape == (5,)
    assert features.shape == (5, 32)


def test_mistakes_of_networks_are_explained():
    with pytest.raises(ConfigError, match="at least 1"):
        generator(latent=0)
    with pytest.raises(ConfigError, match="give 0 to 1"):
        generator(attention=(2,))
    with pytest.raises(ConfigError, match="even number"):
        generator(channels=7)
    with pytest.raises(ConfigError, match="dropout < 1"):
        generator(dropout=1.0)
    with pytest.raises(ConfigError, match="downs is 0 to 2"):
        Discriminator(1, mult=(1, 2), downs=3)
    with pytest.raises(ConfigError, match="at least 1"):
        PointGenerator(0)
    with pytest.raises(ShapeError, match="multiples of 2"):
        generator()(torch.zeros(1, 2, 7, 8), K[:1], torch.zeros(1, 6))
    with pytest.raises(ShapeError, match=r"\(B, 2, H, W\)"):
        generator()(torch.zeros(1, 3, 8, 8), K[:1], torch.zeros(1, 6))
    with pytest.raises(ShapeError, match=r"give \(1, 6\)"):
        generator()(torch.zeros(1, 2, 8, 8), K[:1], torch.zeros(1, 5))
    with pytest.raises(ShapeError, match="multiples of 8"):
        Discriminator(1, channels=8)(torch.zeros(1, 1, 12, 8), K[:1])
