import gzip
import struct

import numpy as np
import pytest

from unveil.core.errors import DataError
from unveil.data import open_images
from unveil.data.idx import read_idx

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 5), np.uint8)


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write(path, array):
    path.write_bytes(gzip.compress(idx(array)) if path.name.endswith(".gz") else idx(array))


def test_a_file_is_read_as_it_is_defined(tmp_path):
    for name in ("a.idx", "a-idx3-ubyte.gz"):
        write(tmp_path / name, IMAGES)
        np.testing.assert_array_equal(read_idx(tmp_path / name), IMAGES)


def test_labels_lie_beside(tmp_path):
    write(tmp_path / "train-images-idx3-ubyte.gz", IMAGES)
    assert open_images(tmp_path / "train-images-idx3-ubyte.gz", split="all").classes is None
    write(tmp_path / "train-labels-idx1-ubyte", np.arange(7))  # one of the two in gzip is fine
    data = open_images(tmp_path / "train-images-idx3-ubyte.gz", split="all")
    assert data.shape == (1, 4, 5)
    assert data.classes == 7
    x, cond = data.batch([6, 0])
    np.testing.assert_array_equal(((x[:, 0] + 1) * 127.5).round().numpy(), IMAGES[[6, 0]])
    assert cond["label"].tolist() == [6, 0]


def test_a_folder_of_four_files(tmp_path):
    for part, rows in (("train", slice(5)), ("t10k", slice(5, 7))):
        write(tmp_path / f"{part}-images-idx3-ubyte.gz", IMAGES[rows])
        write(tmp_path / f"{part}-labels-idx1-ubyte.gz", np.arange(7)[rows])
    train, test, both = (open_images(tmp_path, split=split) for split in ("train", "test", "all"))
    assert (len(train), len(test), len(both)) == (5, 2, 7)
    assert train.classes == test.classes == 7
    assert test.labels.tolist() == [5, 6]
    assert train.name == tmp_path.name
    write(tmp_path / "other-images-idx3-ubyte.gz", IMAGES)
    with pytest.raises(DataError, match="give one of these files itself"):
        open_images(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\0\0", "cut short or damaged"),
        (b"\1\0\x08\3", "not an idx file of unsigned bytes"),
        (b"\0\0\x0d\1\0\0\0\1\0\0\0\0", "not an idx file of unsigned bytes"),
        (idx(IMAGES)[:-1], r"is cut short: its header announces 140 bytes"),
        (idx(IMAGES) + b"\0", "goes on behind its end"),
        (idx(IMAGES.ravel()), r"idx images are \(N, H, W\)"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "images.idx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_images(path)


def test_a_gzip_that_is_cut_short(tmp_path):
    path = tmp_path / "images.idx.gz"
    for raw in (gzip.compress(idx(IMAGES))[:-9], gzip.compress(idx(IMAGES))[:40], b"no gzip"):
        path.write_bytes(raw)
        with pytest.raises(DataError, match=r"images\.idx\.gz' is cut short or damaged"):
            open_images(path)


def test_labels_that_do_not_fit(tmp_path):
    write(tmp_path / "images.idx", IMAGES)
    write(tmp_path / "labels.idx", np.arange(3))
    with pytest.raises(DataError, match="holds 7 images, but 3 labels"):
        open_images(tmp_path / "images.idx")
