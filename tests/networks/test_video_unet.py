import pytest
import torch
import torch.nn.functional as F
from seeds import awake, seeded

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks import VideoUNet
from unveil.networks.layers import ConditionedBlock, GroupNorm, Map, SelfAttention, SpatialMaps, modulated, resampler

DEEP = {"mult": (1, 2, 3, 4), "attention": (1, 2, 3)}
CITY = {"mult": (1, 1, 2, 3, 4), "attention": (2, 3, 4)}
LAPTOP = {"blocks": 1}
COUNTS = {  # channels, head channels, width of SPATIN, past, frames, channels of a frame, further options
    "smmnist concat": (64, 64, None, 5, 5, 1, DEEP, 27_941_765),
    "smmnist spatin": (64, 64, 128, 5, 5, 1, DEEP, 53_953_989),
    "kth concat": (96, 96, None, 10, 5, 1, DEEP, 62_831_141),
    "kth spatin": (192, 96, 192, 10, 5, 1, DEEP, 367_650_437),
    "bair concat": (192, 192, None, 2, 5, 3, DEEP, 251_174_991),
    "bair spatin": (192, 192, 128, 2, 5, 3, DEEP, 328_604_367),
    "cityscapes concat": (192, 192, None, 2, 5, 3, CITY, 262_133_775),
    "cityscapes spatin": (256, 256, 128, 2, 5, 3, CITY, 579_159_695),
    "ucf concat": (288, 288, None, 4, 4, 3, DEEP, 564_990_060),
    "ucf spatin": (288, 288, 192, 4, 4, 3, DEEP, 739_438_572),
    "16 x 16 laptop": (16, None, None, 4, 2, 1, LAPTOP | {"mult": (1, 2), "attention": (1,)}, 248_770),
    "32 x 32 laptop": (32, None, None, 6, 3, 1, LAPTOP | {"mult": (1, 2, 2), "attention": (2,)}, 1_654_659),
    "32 x 32 laptop spatin": (32, None, 32, 6, 3, 1, LAPTOP | {"mult": (1, 2, 2), "attention": (2,)}, 2_854_179),
}
T = torch.tensor([0.1, 0.5, 1.0])


def network(conditioning="concat", known=4, **options):
    torch.manual_seed(0)
    small = {"channels": 8, "mult": (1, 2), "blocks": 1, "attention": (1,), "spatin_channels": 6}
    return VideoUNet(3, known, conditioning=conditioning, **(small | options)).eval()


def inputs(known=4):
    return torch.randn(3, 3, 8, 12, generator=seeded()), torch.randn(3, known, 8, 12, generator=seeded(1))


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_as_many_as_published(name):
    channels, heads, width, past, frames, colours, options, count = COUNTS[name]
    conditioning = {"conditioning": "spatin", "spatin_channels": width} if width else {}
    with torch.device("meta"):
        net = VideoUNet(
            frames * colours, past * colours, channels=channels, head_channels=heads, **options, **conditioning
        )
    assert sum(p.numel() for p in net.parameters()) == count


def test_spatin_has_as_many_layers_as_published():
    with torch.device("meta"):
        net = VideoUNet(5, 5, conditioning="spatin", **DEEP)
    assert len(net.maps.second) == 57


@pytest.mark.parametrize("conditioning", ["concat", "spatin"])
def test_a_new_network_predicts_zero_and_a_woken_one_heeds_all_it_is_told(conditioning):
    net = network(conditioning, labels=3)
    (x, known), label = inputs(), torch.tensor([0, 1, 2])
    assert not net(x, T, known, label).any()
    out = awake(net)(x, T, known, label)
    assert out.shape == x.shape
    for other in (
        net(x + 0.1, T, known, label),
        net(x, T.flip(0), known, label),
        net(x, T, known + 0.1, label),
        net(x, T, known, label.flip(0)),
        net(x, T, known.flip(1), label),
    ):
        assert (other - out).abs().max() > 1e-4
    torch.testing.assert_close(net(x[1:2], T[1:2], known[1:2], label[1:2]), out[1:2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("conditioning", ["concat", "spatin"])
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_prepared_once_changes_no_bit(conditioning, threads):
    net = awake(network(conditioning))
    x, known = inputs()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.no_grad():
            prepared = net.prepare(known)
            assert torch.equal(net(x, T, known, prepared=prepared), net(x, T, known))
            steering = net.steering(T)
            assert torch.equal(net(x, T, known, prepared=prepared, steering=steering), net(x, T, known))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("conditioning", ["concat", "spatin"])
def test_frames_known_to_all_need_be_given_once(conditioning):
    net = awake(network(conditioning))
    x, known = inputs()
    with torch.no_grad():
        together = net(x, T, known[:1].expand(3, -1, -1, -1))
        torch.testing.assert_close(net(x, T, known[:1]), together, rtol=1e-4, atol=1e-5)


def test_concat_is_one_convolution_of_noisy_and_known_frames():
    """[x_t, past, future] side by side, in this order."""
    net = awake(network())
    x, known = inputs()
    seen = []
    net.down[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    net(x, T, known)
    torch.testing.assert_close(seen[0], net.first(torch.cat([x, known], dim=1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("conditioning", ["concat", "spatin"])
def test_a_network_may_know_nothing(conditioning):
    net = awake(network(conditioning, known=0))
    x, _ = inputs()
    assert net.prepare(x[:, :0]) == ()
    assert net(x, T, x[:, :0]).shape == x.shape


@pytest.mark.parametrize("conditioning", ["concat", "spatin"])
def test_every_parameter_learns(conditioning):
    net = awake(network(conditioning, labels=2)).train()
    x, known = inputs()
    net(x, T, known, torch.tensor([0, 1, 0])).square().mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_maps_of_zero_leave_plain_group_normalization():
    maps = SpatialMaps(2, [(8, 0), (16, 1)], 6)
    for conv in maps.second:
        torch.nn.init.zeros_(conv.weight)
    h, known = torch.randn(3, 16, 4, 4), torch.randn(3, 2, 8, 8)
    norm = GroupNorm(4, 16, 1e-6, affine=False)
    found = maps(known)
    assert [m.gain.shape[1:] for m in found] == [(8, 8, 8), (16, 4, 4)]
    torch.testing.assert_close(modulated(norm(h), None, found[1]), F.group_norm(h, 4, eps=1e-6))


def test_a_constant_picture_gives_a_constant_map_but_for_its_border():
    (made,) = SpatialMaps(2, [(8, 0)], 6)(torch.full((1, 2, 12, 12), 0.7))
    for part in made:
        inner = part[..., 2:-2, 2:-2]
        assert (inner - inner[..., :1, :1]).abs().max() < 1e-6
        assert (part - part[..., 5:6, 5:6]).abs().max() > 1e-3


def test_fused_convolutions_are_those_of_each_normalization():
    """One convolution a size for all first ones, one a normalization for gamma and beta."""
    maps = SpatialMaps(2, [(4, 0), (8, 1), (6, 0)], 5)
    known = torch.randn(2, 2, 8, 8)
    smaller = known[..., ::2, ::2]
    for (i, picture, first, rows), found in zip(
        [(0, known, 0, slice(0, 5)), (1, smaller, 1, slice(0, 5)), (2, known, 0, slice(5, 10))],
        maps(known),
        strict=True,
    ):
        conv = maps.first[first]
        features = F.silu(F.conv2d(picture, conv.weight[rows], conv.bias[rows], padding=1))
        channels = len(maps.second[i].weight) // 2
        weight, bias = maps.second[i].weight, maps.second[i].bias
        gamma = F.conv2d(features, weight[:channels], bias[:channels], padding=1)
        beta = F.conv2d(features, weight[channels:], bias[channels:], padding=1)
        torch.testing.assert_close(found.gain, 1 + gamma, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.shift, beta, rtol=1e-4, atol=1e-5)


def test_a_block_is_what_the_paper_says():
    torch.manual_seed(0)
    block = awake(ConditionedBlock(8, 16, groups=(2, 4), eps=1e-5, resample=resampler("down", smooth=True)))
    x, shift = torch.randn(2, 8, 8, 8), torch.randn(2, block.shifts)
    first, second = Map(torch.randn(2, 8, 8, 8), torch.randn(2, 8, 8, 8)), Map(torch.randn(2, 16, 4, 4), torch.ones(1))
    s1, b1, s2, b2 = (part[..., None, None] for part in shift.split([8, 8, 16, 16], dim=1))
    h = F.silu((F.group_norm(x, 2) * first.gain + first.shift) * (1 + s1) + b1)
    h = block.conv1(block.resample(h))
    h = F.silu((F.group_norm(h, 4) * second.gain + second.shift) * (1 + s2) + b2)
    expected = (block.skip(block.resample(x)) + block.conv2(h)) / 2**0.5
    with torch.no_grad():
        torch.testing.assert_close(block(x, shift, (first, second)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("conditioning", "eps"), [("concat", 1e-5), ("spatin", 1e-6)])
def test_normalizations_and_attention_are_those_of_the_paper(conditioning, eps):
    net = network(conditioning)
    assert {layer.eps for layer in net.modules() if isinstance(layer, GroupNorm) and not layer.affine} == {eps}
    assert net.norm.affine == (conditioning == "concat")
    assert {layer.gain for layer in net.modules() if isinstance(layer, SelfAttention)} == {0.5**0.5}


def test_smooth_resampling_is_the_published_filter():
    x, taps = torch.randn(2, 3, 6, 6), torch.tensor([1.0, 3.0, 3.0, 1.0])
    apart = torch.zeros(2, 3, 12, 12)
    apart[..., ::2, ::2] = x
    kernel = (taps.outer(taps) / 16).expand(3, 1, 4, 4)
    expected = F.conv2d(F.pad(apart, (2, 1, 2, 1)), kernel, groups=3)
    torch.testing.assert_close(resampler("up", smooth=True)(x), expected, rtol=1e-6, atol=1e-6)
    ones = torch.ones(1, 1, 8, 8)
    assert (resampler("up", smooth=True)(ones)[..., 2:-2, 2:-2] - 1).abs().max() < 1e-6
    down = resampler("down", smooth=True)(ones)[0, 0]
    torch.testing.assert_close(down[1:-1, 1:-1], torch.ones(2, 2))
    assert down[0, 0] == pytest.approx(0.7656, abs=1e-4)


def test_half_precision_stays_close():
    net = awake(network("spatin"))
    x, known = inputs()
    with torch.no_grad():
        expected = net(x, T, known)
        half = net.bfloat16()(x.bfloat16(), T, known.bfloat16())
    assert half.dtype == torch.bfloat16
    assert (half.float() - expected).abs().max() < 0.1 * expected.abs().max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mult": ()}, "a whole number of at least 1 for each level"),
        ({"channels": 7}, "even number"),
        ({"attention": (2,)}, "with 2 levels give 0 to 1"),
        ({"dropout": 1.0}, "0 <= dropout < 1"),
        ({"conditioning": "film"}, "'concat' or 'spatin'"),
        ({"head_channels": 5}, "heads of 5"),
        ({"labels": -1}, "labels=-1"),
    ],
)
def test_what_cannot_make_a_network_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        network(**options)


def test_what_does_not_fit_is_refused():
    net = network()
    x, known = inputs()
    for bad, message in (
        ((x[:, :2], T, known), r"it takes frames \(B, 3, H, W\)"),
        ((x[..., :9], T, known), "multiples of 2"),
        ((x, T[:2], known), r"give \(\) or \(3,\)"),
        ((x, T, known[:, :3]), r"it takes \(B, 4, H, W\)"),
    ):
        with pytest.raises(ShapeError, match=message):
            net(*bad)
