import pytest
import torch

from unveil.codecs.colour import to_rgb, to_ycbcr
from unveil.codecs.patches import from_patches, pad, to_patches


def test_colours_come_back():
    x = torch.rand(2, 3, 5, 7).double() * 2 - 1
    assert (to_rgb(to_ycbcr(x)) - x).abs().max() < 1e-12


def test_they_are_those_of_jpeg_files():
    """The table of JFIF for bytes, against Pillow, which rounds."""
    from PIL import Image

    levels = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 200, 90]], dtype=torch.uint8)
    theirs = torch.tensor(list(Image.fromarray(levels[None].numpy()).convert("YCbCr").get_flattened_data())).double()
    mine = to_ycbcr((levels.double() / 127.5 - 1).T.reshape(1, 3, 1, -1))[0, :, 0].T * 127.5
    mine += torch.tensor([127.5, 128, 128]).double()
    assert (mine - theirs).abs().max() <= 1


def test_grey_has_no_colour():
    grey = torch.rand(1, 1, 4, 4).double().expand(-1, 3, -1, -1) * 2 - 1
    luma, cb, cr = to_ycbcr(grey)[0]
    torch.testing.assert_close(luma, grey[0, 0], atol=1e-12, rtol=0)
    assert max(cb.abs().max(), cr.abs().max()) < 1e-9 / 127.5


@pytest.mark.parametrize(("height", "width", "side"), [(16, 24, 8), (13, 9, 4), (1, 1, 8), (5, 30, 8)])
def test_patches_come_back_and_padding_is_the_edge(height, width, side):
    x = torch.rand(2, 3, height, width)
    padded = pad(x, side)
    tall, wide = padded.shape[2] // side, padded.shape[3] // side
    patches = to_patches(padded, side)
    assert patches.shape == (3, 2 * tall * wide, side**2)
    back = from_patches(patches, side, (2, tall, wide))
    assert torch.equal(back, padded)
    assert torch.equal(back[..., :height, :width], x)
    assert torch.equal(padded[..., height:, :width], x[..., -1:, :].expand(-1, -1, padded.shape[2] - height, -1))


def test_a_patch_is_read_row_by_row():
    x = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert to_patches(x, 4)[0, 1].tolist() == [4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31]
