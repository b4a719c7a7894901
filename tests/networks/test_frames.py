import pytest
import torch

from unveil.core.errors import ConfigError, ShapeError
from unveil.models.ode_video import ODEVideo, RecurrentEncoder
from unveil.networks import FrameDecoder, FrameEncoder, LatentDynamics


def count(module):
    return sum(value.numel() for value in module.parameters())


def test_at_the_scale_of_the_paper_every_part_has_as_many_weights_as_published():
    size = (64, 64)
    frames = FrameEncoder(1, size, blocks="residual")
    encoder = RecurrentEncoder(frames, 64, cell="rnn", gaps=False)
    decoder, dynamics = FrameDecoder(1, size, 64, blocks="residual"), LatentDynamics(64)
    parts = (frames, encoder.cell, encoder.head, dynamics, decoder.first, decoder.levels)
    assert [count(part) for part in parts] == [38_322, 82_048, 16_512, 33_088, 74_368, 25_885]
    assert count(ODEVideo(encoder, dynamics, decoder, (1, *size))) == 270_223


@pytest.mark.parametrize("blocks", ["plain", "residual"])
def test_frames_go_in_and_come_out(blocks):
    encoder = FrameEncoder(3, (16, 24), widths=(4, 8), blocks=blocks, features=5)
    decoder = FrameDecoder(3, (16, 24), 5, widths=(4, 8), blocks=blocks, hidden=None)
    x = torch.rand(2, 3, 16, 24)
    assert encoder(x).shape == (2, 5)
    made = decoder(encoder(x))
    assert made.shape == x.shape
    assert made.abs().max() <= 1
    # No frame knows of another one in its batch.
    torch.testing.assert_close(encoder(x)[:1], encoder(x[:1]))
    with pytest.raises(ShapeError, match="this encoder takes"):
        encoder(x[:, :1])


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        ((30, 32), {}, "cannot be halved 4 times"),
        ((32, 32), {"widths": ()}, "one level or more"),
        ((32, 32), {"blocks": "dense"}, "no 'dense' blocks"),
    ],
)
def test_sides_and_widths_that_cannot_be_are_refused(size, options, message):
    for make in (lambda **o: FrameEncoder(1, size, **o), lambda **o: FrameDecoder(1, size, 4, **o)):
        with pytest.raises(ConfigError, match=message):
            make(**options)
