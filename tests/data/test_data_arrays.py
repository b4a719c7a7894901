import numpy as np
import pytest
import torch

from unveil.core.errors import DataError
from unveil.data import open_images
from unveil.data.arrays import as_block, reframe
from unveil.data.found import Block
from unveil.data.framing import Frame

COLOUR = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)  # (N, H, W, C)


def values(x):
    return ((x + 1) * 127.5).round().to(torch.uint8).numpy()


def test_every_layout_is_the_same_pictures():
    first = COLOUR.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(as_block(COLOUR, "it").pixels, first)
    np.testing.assert_array_equal(as_block(first, "it").pixels, first)
    np.testing.assert_array_equal(as_block(COLOUR[..., 0], "it").pixels, first[:, :1])
    np.testing.assert_array_equal(as_block(COLOUR[..., :1], "it").pixels, first[:, :1])
    np.testing.assert_array_equal(as_block(COLOUR[0], "it").pixels, first[:1])


@pytest.mark.parametrize("shape", [(5,), (5, 6), (2, 7, 7, 7), (2, 3, 4, 5, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(DataError, match=r"x\.npy has the shape .* pictures are \(N, H, W, C\)"):
        as_block(np.zeros(shape, np.uint8), "x.npy")


@pytest.mark.parametrize("shape", [(0, 4, 4), (2, 0, 4, 3)])
def test_no_picture_is_an_error(shape):
    with pytest.raises(DataError, match="no picture"):
        as_block(np.zeros(shape, np.uint8), "it")


@pytest.mark.parametrize(
    "numbers",
    [
        COLOUR,
        COLOUR.astype(np.int64),
        COLOUR.astype(">i2"),
        COLOUR / 255,
        (COLOUR / 255).astype(np.float32),
        COLOUR / 127.5 - 1,
        (COLOUR / 127.5 - 1).astype(np.float32),
    ],
)
def test_eight_bits_are_found_again_in_any_type(numbers):
    block = as_block(numbers, "it")
    assert block.pixels.dtype == np.uint8
    assert block.levels == 256
    np.testing.assert_array_equal(block.pixels, COLOUR.transpose(0, 3, 1, 2))


def test_real_numbers_stay_real():
    x = np.random.default_rng(0).random((4, 3, 8, 8))
    data = open_images(x, split="all")
    assert data.levels is None
    np.testing.assert_allclose(data.batch(range(4))[0], 2 * x - 1, atol=1e-6)
    data = open_images(torch.from_numpy(2 * x - 1).bfloat16(), split="all")
    np.testing.assert_allclose(data.batch(range(4))[0], 2 * x - 1, atol=0.01)


def test_bool_is_black_and_white():
    block = as_block(np.array([[[False, True]]]), "it")
    assert block.pixels.tolist() == [[[[0, 255]]]]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (np.array([-1, 200]), r"whole numbers from -1 to 200; give 0\.\.255"),
        (np.array([0, 65535], np.uint16), "whole numbers from 0 to 65535"),
        (np.array([0, 1], np.uint8), "only 0 and 1, nearly black"),
        (np.array([0.0, 255.0]), r"floats from 0 to 255; give \[0, 1\] or \[-1, 1\].*save them as uint8"),
        (np.array([0.0, np.nan]), "floats from nan to nan"),
        (np.array([0.0, np.inf]), "floats from 0 to inf"),
        (np.array([1j, 0]), "complex128"),
    ],
)
def test_other_numbers_are_refused(numbers, message):
    with pytest.raises(DataError, match=message):
        as_block(numbers.reshape(1, 1, 2), "it")


def test_colour_becomes_grey_by_luma():
    block = reframe(Block(COLOUR.transpose(0, 3, 1, 2)), Frame(), 1, "it")
    np.testing.assert_allclose(block.pixels[:, 0], COLOUR @ np.array([0.299, 0.587, 0.114]), atol=0.51)
    with pytest.raises(DataError, match="2 channels, which cannot become 3"):
        reframe(Block(np.zeros((1, 2, 4, 4), np.uint8)), Frame(), 3, "it")


@pytest.mark.parametrize(
    ("shape", "read"),
    [
        ((4, 3, 8, 2), (3, 8, 2)),  # only one axis can be grey or RGB
        ((4, 2, 8, 3), (3, 2, 8)),
        ((4, 8, 8, 2), (2, 8, 8)),
        ((4, 2, 8, 8), (2, 8, 8)),
        ((4, 3, 8, 1), (1, 3, 8)),  # both can: the shorter
        ((4, 1, 8, 3), (1, 8, 3)),
        ((4, 3, 3, 3), (3, 3, 3)),
    ],
)
def test_which_axis_holds_the_channels(shape, read):
    assert as_block(np.zeros(shape, np.uint8), "it").pixels.shape[1:] == read


def test_a_single_grey_picture_is_told_its_shape():
    with pytest.raises(DataError, match=r"Of a single grey picture make \(1, 8, 6\)\."):
        as_block(np.zeros((8, 6), np.uint8), "it")


def test_two_channels_are_kept():
    assert open_images(np.full((5, 2, 4, 4), 9, np.uint8)).shape == (2, 4, 4)


def test_resampling_keeps_flat_and_linear_pictures():
    flat = np.full((2, 1, 8, 8), 77, np.uint8)
    assert (reframe(Block(flat), Frame((4, 4)), None, "it").pixels == 77).all()
    ramp = np.tile(np.linspace(0, 240, 16).astype(np.uint8), (1, 1, 16, 1))
    half = reframe(Block(ramp), Frame((8, 8)), None, "it").pixels[0, 0, 0]
    np.testing.assert_allclose(half[2:-2], (np.arange(8) * 32 + 8)[2:-2], atol=1)
    real = reframe(Block(np.full((1, 1, 8, 8), 0.25, np.float32), None), Frame((4, 4)), None, "it")
    np.testing.assert_allclose(real.pixels, 0.25, atol=1e-6)


def test_small_pictures_are_an_error_unless_allowed(tmp_path):
    np.save(tmp_path / "x.npy", COLOUR)
    with pytest.raises(DataError, match="Each picture of 'x' is 5x4 pixels"):
        open_images(tmp_path / "x.npy", size=8)
    assert open_images(tmp_path / "x.npy", size=8, upsample=True).shape == (3, 8, 8)


def test_npz_with_labels_and_a_test_part(tmp_path):
    np.savez(tmp_path / "x.npz", images=COLOUR[:4], labels=[0, 1, 2, 0], test_images=COLOUR[4:], test_labels=[[3], [1]])
    train, test, both = (open_images(tmp_path / "x.npz", split=split) for split in ("train", "test", "all"))
    assert (len(train), len(test), len(both)) == (4, 2, 6)
    assert train.classes == test.classes == both.classes == 4  # each part knows all classes
    x, cond = both.batch([4, 1])
    np.testing.assert_array_equal(values(x), COLOUR[[4, 1]].transpose(0, 3, 1, 2))
    assert cond["label"].tolist() == [3, 1]
    assert cond["label"].dtype == torch.int64
    assert test.labels.tolist() == [3, 1]


def test_npz_names_are_recognised_in_many_spellings(tmp_path):
    np.savez(tmp_path / "keras.npz", x_train=COLOUR, y_train=np.array(["b", "a"] * 3), x_test=COLOUR[:2])
    data = open_images(tmp_path / "keras.npz")
    assert data.class_names == ("a", "b")
    assert data.labels.tolist() == [1, 0, 1, 0, 1, 0]
    np.savez(tmp_path / "odd.npz", pictures=COLOUR, note=np.arange(3))
    assert len(open_images(tmp_path / "odd.npz", split="all")) == 6
    np.savez(tmp_path / "named.npz", images=COLOUR, labels=[0] * 6, class_names=["x", "y"])
    assert open_images(tmp_path / "named.npz").classes == 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": COLOUR, "b": COLOUR}, r"holds a \(6, 5, 4, 3\), b .*; which are the pictures\?"),
        ({"images": COLOUR, "labels": [1, 2]}, "has 6 images but 2 labels"),
        ({"images": COLOUR, "labels": np.ones((6, 2))}, "labels of .* are float64 of shape"),
        ({"images": COLOUR, "labels": [-1] * 6}, "one whole number from 0 on"),
        ({"images": COLOUR, "test_images": COLOUR[:, :2]}, "the test pictures of .* differ"),
        ({"images": np.array([{}, 1])}, "never unpickled"),
    ],
)
def test_npz_that_makes_no_sense(tmp_path, arrays, message):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=message):
        open_images(tmp_path / "x.npz", split="all")


@pytest.mark.parametrize("name", ["x.npz", "x.npy"])
def test_damaged_files(tmp_path, name):
    (np.savez_compressed if name.endswith("z") else np.save)(tmp_path / name, COLOUR)
    whole = (tmp_path / name).read_bytes()
    for content in (whole[: len(whole) // 2], whole[:40], b"rubbish" * 9):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"'.*{name}' (cannot be read|is damaged|is no array file)"):
            open_images(tmp_path / name)


def test_labels_can_be_left_aside(tmp_path):
    np.savez(tmp_path / "x.npz", images=COLOUR, labels=range(6))
    data = open_images(tmp_path / "x.npz", labels=False)
    assert data.classes is None
    assert data.batch([0])[1] == {}


def test_a_nan_is_found_wherever_it_is():
    x = np.random.default_rng(0).random((1500, 8, 8), np.float32)
    x[1400, 0, 0] = np.nan
    with pytest.raises(DataError):
        as_block(x, "x.npy")
