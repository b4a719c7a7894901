"""The layers of networks against their formulas."""

import math

import pytest
import torch
import torch.nn.functional as F

from unveil.core.errors import ConfigError
from unveil.networks.layers import (
    ConvDownsample,
    ConvUpsample,
    FourierFeatures,
    GroupNorm,
    ResidualBlock,
    SelfAttention,
    SinusoidalFeatures,
    groups_for,
    resampler,
)


def randomize(layer):
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.randn_like(weight) / weight[0].numel() ** 0.5)
    return layer.double()


def test_sinusoidal_features_are_those_of_the_step_number():
    features = SinusoidalFeatures(8)(torch.tensor([0.0, 0.25]))
    frequencies = torch.tensor([1.0, 10000 ** (-1 / 3), 10000 ** (-2 / 3), 1e-4])
    expected = torch.stack([torch.cat([(k * frequencies).sin(), (k * frequencies).cos()]) for k in (0, 250)])
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)
    ratio = SinusoidalFeatures(8, shift=0).frequencies
    torch.testing.assert_close(ratio, torch.tensor([1.0, 0.1, 0.01, 0.001]))


def test_fourier_features_have_the_correlation_of_a_gaussian():
    torch.manual_seed(0)
    features = FourierFeatures(200_000, scale=0.5)
    a, b = features(torch.tensor([0.3, 0.5]))
    # E cos(2 pi w (a - b)) for w ~ N(0, 1/4)
    assert (a @ b / 100_000).item() == pytest.approx(math.exp(-2 * math.pi**2 * 0.25 * 0.2**2), abs=0.01)


@pytest.mark.parametrize("width", [2, 7])
def test_narrow_and_odd_embeddings_are_refused(width):
    with pytest.raises(ConfigError, match=f"width {width}"):
        SinusoidalFeatures(width)
    with pytest.raises(ConfigError, match=f"width {width}"):
        FourierFeatures(width)


def test_groups_leave_four_channels_and_are_at_most_32():
    assert [groups_for(c) for c in (3, 16, 32, 48, 128, 144, 384)] == [1, 4, 8, 12, 32, 24, 32]


def test_statistics_of_half_precision_are_float32():
    x = 100 + torch.randn(2, 8, 64, 64)
    x = x.bfloat16()  # steps of half a unit at a hundred: sums in bfloat16 would be far off
    normal = GroupNorm(2, 8)(x)
    assert normal.dtype == torch.bfloat16
    torch.testing.assert_close(normal.float(), F.group_norm(x.double(), 2).float(), atol=0.02, rtol=0.01)
    with pytest.raises(ConfigError, match="8 channels cannot be normalized in 3 groups"):
        GroupNorm(3, 8)


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_is_a_softmax_over_pixels(heads):
    layer, x = randomize(SelfAttention(8, groups=2, head_channels=8 // heads)), torch.randn(3, 8, 2, 5).double()
    pixels = F.group_norm(x, 2, layer.norm.weight, layer.norm.bias).flatten(2).mT
    q, k, v = (pixels @ layer.qkv.weight[:, :, 0, 0].T + layer.qkv.bias).split(8, dim=2)
    parts = []
    for head in range(heads):
        own = slice(head * 8 // heads, (head + 1) * 8 // heads)
        parts.append((q[..., own] @ k[..., own].mT / (8 / heads) ** 0.5).softmax(2) @ v[..., own])
    out = torch.cat(parts, 2) @ layer.out.weight[:, :, 0, 0].T + layer.out.bias
    torch.testing.assert_close(layer(x), x + out.mT.unflatten(2, (2, 5)))


def test_wide_heads_are_one_head_and_uneven_ones_are_refused():
    assert SelfAttention(8, groups=2, head_channels=64).heads == 1
    with pytest.raises(ConfigError, match="8 channels cannot have heads of 3"):
        SelfAttention(8, groups=2, head_channels=3)


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_residual_block_is_its_formula(adaptive):
    block = randomize(ResidualBlock(4, 8, groups=(2, 4), adaptive=adaptive, gain=0.5))
    x, shift = torch.randn(2, 4, 6, 6).double(), torch.randn(2, block.shifts).double()
    h = F.silu(F.group_norm(x, 2, block.norm1.weight, block.norm1.bias))
    h = F.conv2d(h, block.conv1.weight, block.conv1.bias, padding=1)
    if adaptive:
        scale, add = shift[:, :, None, None].split(8, dim=1)
        h = F.group_norm(h, 4, block.norm2.weight, block.norm2.bias) * (1 + scale) + add
    else:
        h = F.group_norm(h + shift[:, :, None, None], 4, block.norm2.weight, block.norm2.bias)
    h = F.conv2d(F.silu(h), block.conv2.weight, block.conv2.bias, padding=1)
    expected = (F.conv2d(x, block.skip.weight, block.skip.bias) + h) / 2
    torch.testing.assert_close(block(x, shift), expected)
    with torch.no_grad():
        torch.testing.assert_close(block(x, shift), expected)


def test_blocks_resample_both_branches():
    for direction, side in (("down", 3), ("up", 12)):
        block = randomize(ResidualBlock(4, 4, groups=(1, 1), resample=resampler(direction, False)))
        with torch.no_grad():
            block.conv2.weight.zero_()
            block.conv2.bias.zero_()
        x = torch.randn(1, 4, 6, 6).double()
        expected = F.avg_pool2d(x, 2) if direction == "down" else x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        assert block(x, torch.zeros(1, 4).double()).shape == (1, 4, side, side)
        torch.testing.assert_close(block(x, torch.zeros(1, 4).double()), expected)


@pytest.mark.parametrize("size", [(1, 4, 2, 3), (2, 4, 8, 6)])  # few pixels and many: two ways of computing
def test_upsampling_repeats_and_convolves(size):
    layer, x = randomize(ConvUpsample(4)), torch.randn(size).double()
    repeated = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = F.conv2d(repeated, layer.conv.weight, layer.conv.bias, padding=1)
    torch.testing.assert_close(layer(x, torch.zeros(1, 0)), expected)
    weight = torch.randn_like(expected)
    ours = torch.autograd.grad((layer(x, torch.zeros(1, 0)) * weight).sum(), layer.conv.weight)
    torch.testing.assert_close(ours, torch.autograd.grad((expected * weight).sum(), layer.conv.weight))


def test_downsampling_pads_both_sides_or_the_end():
    x = torch.randn(1, 2, 6, 6).double()
    for padding, sides in (("both", (1, 1, 1, 1)), ("end", (0, 1, 0, 1))):
        layer = randomize(ConvDownsample(2, padding))
        expected = F.conv2d(F.pad(x, sides), layer.conv.weight, layer.conv.bias, stride=2)[..., :3, :3]
        torch.testing.assert_close(layer(x, torch.zeros(1, 0)), expected)


def test_smooth_resampling_keeps_constants_and_is_its_own_adjoint():
    down, up = resampler("down", True), resampler("up", True)
    x, y = torch.randn(2, 3, 8, 6).double(), torch.randn(2, 3, 4, 3).double()
    torch.testing.assert_close((down(x) * y).sum(), (x * up(y)).sum() / 4)
    assert torch.equal(down(torch.ones(1, 1, 8, 8))[..., 1:-1, 1:-1], torch.ones(1, 1, 2, 2))
    assert torch.equal(up(torch.ones(1, 1, 4, 4))[..., 1:-1, 1:-1], torch.ones(1, 1, 6, 6))
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    assert torch.equal(down(ramp)[0, 0, 1, 1:-1], torch.tensor([2.5, 4.5]))  # the middle of each pair
