import pytest
import torch

from unveil.core.errors import ConfigError
from unveil.core.random import Streams
from unveil.data.shuffling import shuffle_patches

IMAGES = torch.arange(2 * 3 * 8 * 12, dtype=torch.float32).reshape(2, 3, 8, 12)


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_patches_change_places_and_stay_whole(patch):
    x = shuffle_patches(IMAGES, patch, Streams(0, 2))

    def cut(images):
        whole = images.unfold(2, patch, patch).unfold(3, patch, patch).permute(0, 2, 3, 1, 4, 5).flatten(1, 2)
        return [sorted(tuple(piece.flatten().tolist()) for piece in image) for image in whole]

    assert cut(x) == cut(IMAGES)
    assert not torch.equal(x, IMAGES)


def test_each_picture_has_an_order_of_its_own():
    same = IMAGES[:1].expand(2, 3, 8, 12)
    x = shuffle_patches(same, 2, Streams(0, 2))
    assert not torch.equal(x[0], x[1])
    assert torch.equal(shuffle_patches(same[:1], 2, Streams(0, [1]))[0], x[1])


def test_one_patch_leaves_the_picture():
    square = IMAGES[..., :8]
    assert torch.equal(shuffle_patches(square, 8), square)
    with pytest.raises(ConfigError, match="squares of 3 pixels"):
        shuffle_patches(IMAGES, 3)
