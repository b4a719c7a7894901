import pytest
import torch

from unveil.core.errors import ConfigError
from unveil.networks.pose_net import PoseBlock, PoseNet

POSITION, ROTATION, LOOK = 0, 1, 2


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return PoseNet(48).eval()


def asked(batch=3, number=7, seed=0):
    """Effectors of all kinds in any order, the first a position, and whose body."""
    g = torch.Generator().manual_seed(seed)
    kind = torch.randint(0, 3, (batch, number), generator=g)
    kind[:, 0] = POSITION
    data = torch.randn(batch, number, 6, generator=g)
    data[..., 3:] = torch.where((kind == POSITION)[..., None], 0.0, data[..., 3:])
    return {
        "kind": kind,
        "joint": torch.randint(0, 24, (batch, number), generator=g),
        "data": data,
        "tolerance": 0.1 * torch.rand(batch, number, generator=g),
        "weight": 0.2 + torch.rand(batch, number, generator=g),
        "body": torch.randn(batch, 13, generator=g),
    }


def changed(given, change):
    return {name: value if name == "body" else change(value) for name, value in given.items()}


def apart(a, b):
    return max(float((x - y).abs().max().detach()) for x, y in zip(a, b, strict=True))


def test_the_order_of_effectors_says_nothing(net):
    given, order = asked(), torch.tensor([4, 0, 6, 2, 1, 5, 3])
    assert apart(net(**given), net(**changed(given, lambda value: value[:, order]))) < 1e-5


def test_effectors_of_weight_zero_are_not_there(net):
    given, absent = asked(), asked(number=3, seed=1)
    absent["weight"] = torch.zeros(3, 3)
    both = {name: given[name] if name == "body" else torch.cat([given[name], absent[name]], 1) for name in given}
    assert apart(net(**given), net(**both)) < 1e-6


def test_the_whole_set_twice_is_the_set_and_one_effector_twice_is_not(net):
    given = asked()
    assert apart(net(**given), net(**changed(given, lambda value: torch.cat([value, value], 1)))) < 1e-5
    assert apart(net(**given), net(**changed(given, lambda value: torch.cat([value, value[:, :1]], 1)))) > 1e-3


def test_all_moves_with_the_effectors_and_rotations_stay(net):
    given, shift = asked(), torch.tensor([3.0, -7.0, 100.0])
    moved = given | {"data": given["data"].clone()}
    moved["data"][..., :3] += shift * (given["kind"] != ROTATION)[..., None]
    (places, turns), (places_there, turns_there) = net(**given), net(**moved)
    torch.testing.assert_close(places_there - shift, places, atol=1e-3, rtol=0)
    torch.testing.assert_close(turns_there, turns, atol=1e-5, rtol=0)


def test_rotations_and_looking_directions_are_not_moved_to_the_centre(net):
    given = asked()
    other = given | {"data": given["data"].clone()}
    other["data"][..., :3] += 1.0 * (given["kind"] == ROTATION)[..., None]  # another rotation, not a place elsewhere
    assert apart(net(**given), net(**other)) > 1e-3


def test_a_pose_does_not_depend_on_the_others_of_its_batch(net):
    given = asked()
    alone = {name: value[1:2] for name, value in given.items()}
    assert apart([x[1:2] for x in net(**given)], net(**alone)) < 1e-5


@pytest.mark.parametrize("part", ["body", "tolerance", "joint", "kind"])
def test_everything_told_counts(net, part):
    given = asked()
    if part == "kind":
        other = torch.where(given[part] == ROTATION, LOOK, given[part])
    else:
        other = (given[part] + 1) % 24 if part == "joint" else given[part] + 1
    assert apart(net(**given), net(**given | {part: other})) > 1e-4


def test_a_block_is_what_its_formula_says():
    block = PoseBlock(5, 7, 3).eval()
    x = torch.randn(2, 4, 5)
    h = x
    for layer in block.layers:
        h = torch.nn.functional.leaky_relu(h @ layer.weight.T + layer.bias, 0.01)
    past, added = block(x)
    torch.testing.assert_close(added, block.project(h))
    torch.testing.assert_close(past, (h + block.past(x)).clamp_min(0))


def test_first_weights_are_large_but_those_of_results_small():
    torch.manual_seed(0)
    net = PoseNet(256)
    for layer, inputs, gain in (
        (net.encoder[0].layers[1], 256, 1.0),
        (net.encoder[0].past, 84, 1.0),
        (net.encoder[2].project, 256, 0.5),
        (net.places.blocks[1].project, 256, 0.1),
    ):
        assert float(layer.weight.std().detach()) == pytest.approx(gain * (2 / inputs) ** 0.5, rel=0.02)
        assert not layer.bias.any()
    made = net(**asked())[1].detach()
    assert (made - net.identity).abs().mean() < 2  # it begins around the rest pose


def test_as_large_as_published_but_for_what_is_not_used():
    def size(net):
        return sum(weight.numel() for weight in net.parameters())

    unused = 1024 * 1024 + 1024
    assert round((size(PoseNet(1024)) + 3 * unused) / 1e6, 1) == 39.9
    assert size(PoseNet(128)) * 4 < 5e6  # bytes


def test_every_weight_is_trained(net):
    places, turns = net(**asked())
    (places.square().sum() + turns.square().sum()).backward()
    assert all(weight.grad is not None for weight in net.parameters())


@pytest.mark.parametrize("options", [{"width": 0}, {"width": 8.5}, {"joints": 0}, {"dropout": -1.0}])
def test_what_cannot_be_is_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        PoseNet(**{"width": 8, **options})
