"""The U-Net: sizes as published, one function at any batch and layout, and errors that teach."""

import pytest
import torch
from torch import nn

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.unet import UNet

STYLES = ["ddpm", "adm", "ncsnpp"]


def small(style="ddpm", **options):
    """A network whose every weight says something, those that begin at zero as well."""
    network = UNet(3, **{"channels": 8, "mult": (1, 2), "blocks": 1, "style": style, **options})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.add_(0.1 * noise if weight.ndim == 1 else 0.5 * noise / weight[0].numel() ** 0.5)
    return network.eval()


@pytest.mark.parametrize(
    ("count", "channels", "options"),
    [
        (35_746_307, 3, {"dropout": 0.1}),  # Ho et al. (2020), CIFAR-10
        (44_173_827, 3, {"style": "adm", "attention": (1, 2)}),  # Dhariwal & Nichol (2021)
        (61_804_419, 3, {"style": "ncsnpp", "blocks": 4}),  # Song et al. (2021)
        (176_849, 1, {"channels": 16, "mult": (1, 2), "blocks": 1}),
        (701_345, 1, {"channels": 32, "mult": (1, 2), "blocks": 1}),
        (1_113_955, 3, {"channels": 32, "mult": (1, 2, 2), "blocks": 1, "attention": (2,)}),
        (2_499_603, 3, {"channels": 48, "mult": (1, 2, 2), "blocks": 1, "attention": (2,)}),
    ],
)
def test_networks_have_the_published_number_of_parameters(count, channels, options):
    with torch.device("meta"):
        network = UNet(channels, **options)
    assert sum(weight.numel() for weight in network.parameters()) == count


@pytest.mark.parametrize("style", STYLES)
def test_a_new_network_predicts_zero_and_every_weight_can_learn(style):
    x, t = torch.randn(2, 3, 8, 12), torch.rand(2)
    assert UNet(3, channels=8, mult=(1, 2), style=style)(x, t).abs().max() == 0
    network = small(style, classes=2)
    network(x, t, torch.tensor([0, 2])).square().sum().backward()
    silent = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not silent


@pytest.mark.parametrize("style", STYLES)
def test_an_image_does_not_notice_its_batch(style):
    network, x, t = small(style), torch.randn(9, 3, 8, 12), torch.rand(9)
    with torch.no_grad():
        together = network(x, t)
        alone = torch.cat([network(x[i : i + 1], t[i]) for i in range(9)])
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("style", STYLES)
def test_gradients_do_not_change_the_prediction(style):
    network, x, t = small(style).double(), torch.randn(3, 3, 8, 8).double(), torch.rand(3).double()
    with torch.no_grad():
        without = network(x, t)
    torch.testing.assert_close(network(x, t), without)


def test_one_time_for_all_is_the_time_of_each():
    network, x = small(classes=2), torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        label = torch.tensor([0, 1, 2, 2])
        torch.testing.assert_close(network(x, torch.tensor(0.3), label), network(x, torch.full((4,), 0.3), label))
        assert not torch.allclose(network(x, torch.tensor(0.3)), network(x, torch.tensor(0.4)))


def test_no_label_is_the_label_after_the_last():
    network, x, t = small(classes=3), torch.randn(2, 3, 8, 8), torch.rand(2)
    with torch.no_grad():
        none = network(x, t)
        torch.testing.assert_close(network(x, t, torch.tensor([3, 3])), none)
        assert not torch.allclose(network(x, t, torch.tensor([0, 1])), none)


def test_options_build_the_network_again():
    network = small("adm", head_channels=4, classes=2, embedding="fourier", dropout=0.5)
    again = UNet(**network.options).eval()
    again.load_state_dict(network.state_dict())  # with the drawn frequencies of the Fourier features
    x, t = torch.randn(2, 3, 8, 8), torch.randn(2)
    torch.testing.assert_close(again(x, t), network(x, t))
    again.train()
    assert not torch.allclose(again(x, t), network(x, t))  # numbers are dropped in training, and only there


@pytest.mark.parametrize("style", STYLES)
def test_nothing_inside_changes_its_layout(style):
    network, wrong = small(style), []

    def look(module, given, result):
        for x in (*given, result):
            if isinstance(x, torch.Tensor) and x.ndim == 4 and x.shape[1] > 3:  # the picture comes and goes contiguous
                wrong.extend([module] * (not x.is_contiguous(memory_format=torch.channels_last)))

    for module in network.modules():
        if not isinstance(module, UNet):
            module.register_forward_hook(look)
    for batch in (1, 2, 9):
        out = network(torch.randn(batch, 3, 8, 8), torch.tensor(0.5))
        assert out.is_contiguous()
    assert not wrong


@pytest.mark.parametrize("style", STYLES)
def test_gradients_lie_in_memory_like_their_weights(style):
    """Fused optimisers walk through both as one row of numbers."""
    network = small(style)
    for _ in range(2):  # the second backward adds to the first
        network(torch.randn(9, 3, 8, 8), torch.rand(9)).square().sum().backward()
    for weight in network.parameters():
        walked = torch.empty_like(weight)
        walked.as_strided((weight.numel(),), (1,)).copy_(weight.grad.as_strided((weight.numel(),), (1,)))
        assert torch.equal(walked, weight.grad)


def test_contiguous_weights_give_the_same_prediction():
    network, x, t = small("adm"), torch.randn(2, 3, 8, 8), torch.rand(2)
    with torch.no_grad():
        first = network(x, t)
        torch.testing.assert_close(network(x.contiguous(memory_format=torch.channels_last), t), first)
        torch.testing.assert_close(network.to(memory_format=torch.contiguous_format)(x, t), first, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("style", STYLES)
def test_it_compiles_into_one_graph(style):
    network, x, t = small(style, classes=2), torch.randn(2, 3, 8, 8), torch.rand(2)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x, t, torch.tensor([0, 1])), network(x, t, torch.tensor([0, 1])))


@pytest.mark.parametrize("style", STYLES)
def test_mixed_precision_keeps_close(style):
    network, x, t = small(style), torch.randn(2, 3, 8, 8), torch.rand(2)
    with torch.no_grad():
        exact = network(x, t)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = network(x, t)
    assert mixed.dtype == torch.bfloat16
    assert (mixed - exact).norm() < 0.05 * exact.norm()


def test_weights_begin_as_the_spec_says():
    torch.manual_seed(0)
    network = UNet(3, channels=64, mult=(1, 2), blocks=1)

    def variance(weight):
        return weight.var().item()

    block = network.down[0].block
    assert variance(block.conv1.weight) == pytest.approx(2 / (9 * 64 + 9 * 64), rel=0.05)
    assert variance(network.time.first.weight) == pytest.approx(2 / (64 + 256), rel=0.05)
    rows = network.time.project.weight.split(network.time.shifts)  # one linear layer for each block
    assert [len(part) for part in rows] == [64, 0, 128, 128, 128, 128, 128, 0, 64, 64]
    assert variance(rows[0]) == pytest.approx(2 / (256 + 64), rel=0.05)
    assert variance(rows[2]) == pytest.approx(2 / (256 + 128), rel=0.05)
    attention = network.middle[0].attention
    for part in attention.qkv.weight.chunk(3):
        assert variance(part) == pytest.approx(0.1 * 2 / (128 + 128), rel=0.05)
    for zero in (block.conv2, attention.out, network.last):
        assert not zero.weight.any()
    assert not any(layer.bias.any() for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"attention": (2,)}, r"attention at level 2; with 2 levels they are 0.*model\.network\.attention"),
        ({"attention": (-1,)}, "level -1"),
        ({"channels": 9}, "even number"),
        ({"groups": 3}, "groups=3"),
        ({"style": "adm", "head_channels": 3}, "heads of 3"),
        ({"mult": ()}, "whole number"),
        ({"mult": (1, 0)}, "whole number"),
        ({"blocks": 0}, "at least 1"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"classes": 0}, "classes=0"),
        ({"head_channels": 0}, "head_channels=0"),
        ({"style": "edm"}, "'ddpm' or 'adm' or 'ncsnpp'"),
        ({"embedding": "rotary"}, "'sinusoidal' or 'fourier'"),
        ({"padding": "start"}, "'both' or 'end'"),
        ({"eps": 0.0}, "eps=0.0"),
        ({"frequency_shift": 2}, "shift of 0 or 1"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options, word):
    with pytest.raises(ConfigError, match=word):
        UNet(3, **{"channels": 8, "mult": (1, 2), "blocks": 1, **options})


def test_input_that_does_not_fit_is_refused():
    network, t = small(classes=4), torch.tensor(0.5)
    with pytest.raises(ShapeError, match=r"\(B, 3, H, W\)"):
        network(torch.randn(2, 1, 8, 8), t)
    with pytest.raises(ShapeError, match=r"8 x 9.*multiples of 2"):
        network(torch.randn(2, 3, 8, 9), t)
    with pytest.raises(ShapeError, match=r"Times of shape \(3,\)"):
        network(torch.randn(2, 3, 8, 8), torch.rand(3))
    with pytest.raises(ShapeError, match="4 means no label"):
        network(torch.randn(2, 3, 8, 8), t, torch.tensor([0.0, 1.0]))
    with pytest.raises(ConfigError, match="without classes"):
        small()(torch.randn(2, 3, 8, 8), t, torch.tensor([0, 1]))
