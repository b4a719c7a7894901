import pytest
import torch
from codec_photos import decibels, fitted, photo, through

from unveil.codecs import Codec, Layout
from unveil.core.errors import ConfigError, DataError, ShapeError

KINDS = ["VQ-8-8-8", "PQ-32-8-8", "OPQ-32-8-8", "RQ-32-8-8"]


def test_the_kinds_come_in_the_published_order_on_a_photograph_none_has_seen():
    """In true PSNR; the published figures can be none."""
    found = [decibels(through(fitted(name), photo("astronaut")), photo("astronaut")) for name in KINDS]
    assert found[0] + 0.2 < found[1]
    assert found[1] + 0.2 < found[2]
    assert found[2] + 0.2 < found[3]


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 16), (45, 70), (512, 33)])
def test_pictures_of_any_size(size):
    codec, x = fitted(), photo("astronaut")[:, : size[0], : size[1]]
    codes = codec.encode(x[None])
    assert codes.shape == (1, *codec.shape_of(*size)) == (1, 6, -(-size[0] // 8), -(-size[1] // 8))
    assert codes.dtype == torch.uint8
    assert through(codec, x).shape == x.shape


def test_what_is_padded_does_not_change_what_is_inside():
    codec, x = fitted(), photo("astronaut")[:, :64, :64]
    more = torch.nn.functional.pad(x[None].float(), (0, 3, 0, 5), mode="replicate").to(torch.uint8)
    assert torch.equal(codec.decode(codec.encode(more))[..., :64, :64], codec.decode(codec.encode(x[None])))


def test_bytes_and_floats_are_the_same_picture_alone_or_in_a_batch():
    codec, x = fitted(), torch.stack([photo("astronaut")[:, i : i + 40, :50] for i in (0, 100)])
    codes = codec.encode(x)
    assert torch.equal(codes, codec.encode(x / 127.5 - 1))
    assert torch.equal(codes[1:], codec.encode(x[1:]))
    floats, rounded = codec.decode(codes, (40, 50)), codec.decode(codes, (40, 50), to_bytes=True)
    assert torch.equal(((floats + 1) * 127.5).round().clamp(0, 255).to(torch.uint8), rounded)


def test_large_pictures_are_worked_on_in_bands():
    codec, x = fitted(), photo("astronaut").repeat(1, 3, 6)[:, :1400, :2900]
    codes = codec.encode(x[None])
    assert torch.equal(codes[..., :64, :64], codec.encode(x[None, :, :512, :512]))
    assert torch.equal(codes[..., 100:164, :], codec.encode(x[None, :, 800:1312]))


@pytest.mark.parametrize("name", KINDS[:3])
def test_a_decoded_picture_is_encoded_the_same_again(name):
    """In floats all codes, but where clipping cut off what lies beyond black and white; in bytes nearly all."""
    codec = fitted(name)
    codes = codec.encode(photo("astronaut")[None])
    x = codec.decode(codes)
    inside = (x.abs() <= 1).unflatten(2, (-1, 8)).unflatten(4, (-1, 8)).all(5).all(3).all(1)  # (1, h, w)
    again = codec.encode(x.clamp(-1, 1))
    assert inside.float().mean() > 0.6
    assert torch.equal(again.movedim(1, -1)[inside], codes.movedim(1, -1)[inside])
    rounded = codec.encode(codec.decode(codes, to_bytes=True))
    assert (rounded != codes).movedim(1, -1)[inside].float().mean() <= 0.005


def test_one_code_alone_decodes_softly_to_what_it_is():
    codec = fitted()
    codes = codec.encode(photo("astronaut")[None, :, :64, :48])
    certain = torch.nn.functional.one_hot(codes.long(), 256).movedim(-1, 2).float()
    torch.testing.assert_close(codec.soft_decode(certain), codec.decode(codes), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", KINDS)
def test_soft_decoding_is_linear_and_gives_the_mean_of_what_is_certain(name):
    codec = fitted(name)
    p, q = torch.rand(2, 1, codec.planes, 256, 2, 3).double().softmax(3)
    mixed = codec.soft_decode(0.3 * p + 0.7 * q)
    torch.testing.assert_close(mixed, 0.3 * codec.soft_decode(p) + 0.7 * codec.soft_decode(q))
    even = codec.soft_decode(torch.full((1, codec.planes, 256, 1, 1), 1 / 256))
    means = [quantizer.tables().mean(1).sum(0).reshape(8, 8) for quantizer in codec.quantizers]
    from unveil.codecs.colour import to_rgb

    torch.testing.assert_close(even, to_rgb(torch.stack(means)[None]), atol=1e-5, rtol=0)


def test_gradients_flow_through_soft_decoding():
    codec = fitted()
    logits = torch.randn(2, codec.planes, 256, 3, 2, requires_grad=True)
    x = codec.soft_decode(logits.softmax(2))
    assert x.shape == (2, 3, 24, 16)
    x.square().mean().backward()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad.abs().amax(2) > 0).all()
    assert not list(codec.parameters())


def test_a_rotation_is_one():
    rotation = fitted().quantizers[0].rotation
    assert (rotation @ rotation.T - torch.eye(64)).abs().max() < 1e-5


def test_black_white_and_grey_are_exact():
    codec = fitted()
    for level in (0, 255):
        flat = torch.full((3, 16, 16), level, dtype=torch.uint8)
        assert torch.equal(through(codec, flat), flat)
    grey = photo("astronaut").float().mean(0, keepdim=True).round().to(torch.uint8)
    decoded = through(codec, grey.expand(3, -1, -1))
    assert int(decoded.int().amax(0).sub(decoded.int().amin(0)).max()) == 0
    assert torch.equal(decoded[:1], through(codec.grey_part(), grey))


def test_a_grey_codec():
    grey = fitted().grey_part()
    assert (grey.channels, grey.planes, grey.ratio, grey.layout.name) == (1, 4, 16, "OPQ-32")
    assert grey.grey_part() is grey


def test_a_codec_is_rebuilt_from_its_tensors_and_knows_itself():
    codec = fitted()
    state = codec.state_dict()
    again = Codec.from_state(state)
    assert again.layout == codec.layout
    assert again.ordered
    assert again.fingerprint == codec.fingerprint
    blank = Codec(codec.layout)
    assert blank.fingerprint != codec.fingerprint
    blank.load_state_dict(state)
    assert blank.fingerprint == codec.fingerprint
    assert fitted(ordered=False).fingerprint != codec.fingerprint
    moved = {**state, "quantizers.1.codebooks": state["quantizers.1.codebooks"] + 1e-7}
    assert Codec.from_state(moved).fingerprint != codec.fingerprint


def test_tensors_that_are_no_codec():
    state = fitted().state_dict()
    for broken in (
        {},
        {**state, "about": state["about"] + 7},
        {**state, "about": torch.tensor([2, 2, 8, 8, 1])},
        {**state, "about": torch.tensor(1)},
        {**state, "about": torch.tensor([1, 2, 8, 4, 1])},
        {**state, "quantizers.0.codebooks": torch.tensor(1.0)},
        {name: tensor for name, tensor in state.items() if "rotation" not in name},
        {**state, "quantizers.0.codebooks": state["quantizers.0.codebooks"] / 0},
    ):
        with pytest.raises(DataError) as refused:
            Codec.from_state(broken)
        assert "\n" not in str(refused.value)


def test_what_is_refused():
    codec = fitted()
    with pytest.raises(ShapeError, match="encodes pictures"):
        codec.encode(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ShapeError, match="encodes pictures"):
        codec.encode(torch.zeros(1, 3, 0, 8))
    with pytest.raises(DataError, match="these hold 255"):
        codec.encode(torch.full((1, 3, 8, 8), 255.0))
    with pytest.raises(DataError, match="these hold nan"):
        codec.encode(torch.full((1, 3, 8, 8), torch.nan))
    with pytest.raises(DataError, match="int16"):
        codec.encode(torch.zeros(1, 3, 8, 8, dtype=torch.int16))
    with pytest.raises(ShapeError, match="decodes whole numbers"):
        codec.decode(torch.zeros(1, 5, 2, 2, dtype=torch.uint8))
    with pytest.raises(ShapeError, match="decodes whole numbers"):
        codec.decode(torch.zeros(1, 6, 2, 2))
    with pytest.raises(DataError, match="reach from 0 to 256"):
        codec.decode(torch.tensor([0, 256]).reshape(1, 1, 1, 2).expand(1, 6, 2, 2))
    with pytest.raises(ShapeError, match="do not make pictures of 30 x 8"):
        codec.decode(torch.zeros(1, 6, 2, 2, dtype=torch.uint8), (8, 30))
    with pytest.raises(ShapeError, match="takes probabilities"):
        codec.soft_decode(torch.zeros(1, 6, 128, 2, 2))
    with pytest.raises(ConfigError, match="has 4 codebooks of 256 entries"):
        Codec(Layout("OPQ", (32, 8, 8)), fitted("VQ-8-8-8").quantizers)
