from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from unveil.core.errors import ConfigError, DataError
from unveil.core.random import Streams
from unveil.data import Images, open_images

RAMP = np.random.default_rng(0).integers(0, 256, (50, 3, 6, 9), np.uint8)


def values(x):
    return ((x + 1) * 127.5).round().to(torch.uint8).numpy()


def test_what_a_folder_keeps_back_is_noted(tmp_path):
    for name in ("a/1.png", "b/1.png", "stray.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / name)
    (tmp_path / "phone.heic").write_bytes(b"x")
    unread, stray = open_images(tmp_path, split="all").notes
    assert "(.heic 1)" in unread
    assert "'stray.png'" in stray
    assert open_images(tmp_path, split="all", labels=False).notes == (unread,)


def test_a_batch_is_the_pictures_in_order():
    data = open_images(RAMP, split="all")
    assert data.shape == (3, 6, 9)
    assert len(data) == data.pictures == 50
    x, cond = data.batch([3, 0, 3])
    assert x.dtype == torch.float32
    assert x.is_contiguous()
    assert cond == {}
    np.testing.assert_array_equal(values(x), RAMP[[3, 0, 3]])
    for index in (np.array([3, 0, 3]), torch.tensor([3, 0, 3]), range(3, 4)):
        torch.testing.assert_close(data.batch(index)[0][0], x[0], rtol=0, atol=0)
    assert data.batch([])[0].shape == (0, 3, 6, 9)


def test_black_and_white_are_exact():
    x = open_images(np.array([[[0, 255]]], np.uint8), split="all").batch([0])[0]
    assert x.flatten().tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("index", [[50], [-1], [0, 99]])
def test_no_index_leaves_the_data(index):
    with pytest.raises(IndexError, match=r"leave 0\.\.49 of 'array'"):
        open_images(RAMP, split="all").batch(index)


@pytest.mark.parametrize("options", [{"flip": True}, {"size": (4, 5), "crop": "random", "flip": True, "resize": False}])
def test_a_sample_does_not_know_its_company(options):
    data = open_images(RAMP, split="all", **options)
    index = list(range(0, len(data), 7))
    whole = data.batch(index, Streams(5, index))[0]
    torch.testing.assert_close(data.batch(index, Streams(5, index))[0], whole, rtol=0, atol=0)
    parts = [data.batch(index[i : i + 3], Streams(5, index[i : i + 3]))[0] for i in range(0, len(index), 3)]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=0)
    with ThreadPoolExecutor(4) as pool:
        for x in pool.map(lambda _: data.batch(index, Streams(5, index))[0], range(20)):
            torch.testing.assert_close(x, whole, rtol=0, atol=0)
    assert not torch.equal(data.batch(index, Streams(6, index))[0], whole)


def test_half_of_the_pictures_are_mirrored():
    data = open_images(RAMP, split="all", flip=True)
    index = np.arange(2000) % 50
    x = values(data.batch(index, torch.Generator().manual_seed(0))[0])
    mirrored = (x == RAMP[index][..., ::-1]).all((1, 2, 3))
    assert ((x == RAMP[index]).all((1, 2, 3)) ^ mirrored).all()
    assert 0.45 < mirrored.mean() < 0.55
    np.testing.assert_array_equal(values(data.batch(index)[0]), RAMP[index])  # none without a generator


def test_random_crops_reach_every_place_alike():
    where = np.arange(54, dtype=np.uint8).reshape(1, 1, 6, 9)  # each pixel says where it is
    data = open_images(where, split="all", size=(4, 7), crop="random", resize=False)
    x = values(data.batch([0] * 3000, torch.Generator().manual_seed(0))[0])
    corner = x[:, 0, 0, 0]
    counts = {(int(c) // 9, int(c) % 9): n for c, n in zip(*np.unique(corner, return_counts=True), strict=True)}
    assert counts.keys() == {(top, left) for top in range(3) for left in range(3)}
    assert all(270 < n < 400 for n in counts.values())
    for picture, c in zip(x[:9, 0], corner, strict=False):
        np.testing.assert_array_equal(picture, where[0, 0, c // 9 : c // 9 + 4, c % 9 : c % 9 + 7])


def test_a_few_pictures_stand_for_many_crops():
    data = open_images(RAMP, split="all", size=4, crop="random", resize=False)
    assert (len(data), data.pictures, data.crops) == (1000, 50, 20)
    assert len(open_images(RAMP, split="all", size=4, crop="random", crops=3)) == 150
    centre = data.batch(range(50))[0]
    np.testing.assert_array_equal(values(centre), RAMP[:, :, 1:5, 3:7])
    later = data.batch(range(50, 100))[0]
    assert not torch.equal(later, centre)
    torch.testing.assert_close(data.batch([77])[0][0], later[27], rtol=0, atol=0)  # fixed by the index


def test_pictures_of_many_sizes_and_kinds(tmp_path, draw):
    colour = draw(tmp_path / "a.png", 12, 20)
    grey = draw(tmp_path / "b.png", 15, 10, channels=1)
    data = open_images(tmp_path, split="all", size=8, crop="random", resize=False)
    assert data.shape == (3, 8, 8)
    x = values(data.batch([0, 1])[0])
    np.testing.assert_array_equal(x[0].transpose(1, 2, 0), colour[2:10, 6:14])
    np.testing.assert_array_equal(x[1], np.broadcast_to(grey[4:12, 1:9], (3, 8, 8)))
    data.batch(range(100), Streams(0, 100))  # no crop leaves its picture
    with pytest.raises(DataError, match=r"differ in size: '.*a\.png' is 12x20 .*'.*b\.png' is 15x10\..*size=64"):
        open_images(tmp_path, split="all")


def test_grey_pictures_fill_three_channels_when_asked(tmp_path, draw):
    grey = draw(tmp_path / "b.png", 8, 8, channels=1)
    assert open_images(tmp_path / "b.png").shape == (1, 8, 8)
    x = values(open_images(tmp_path / "b.png", channels=3).batch([0])[0])
    np.testing.assert_array_equal(x[0], np.broadcast_to(grey, (3, 8, 8)))


def test_small_files_are_an_error_that_names_them(tmp_path, draw):
    draw(tmp_path / "a.png", 40, 40)
    draw(tmp_path / "small.png", 20, 40)
    with pytest.raises(DataError, match=r"small\.png is 20x40 pixels .* smaller than the 32x32 asked for"):
        open_images(tmp_path, size=32)
    assert len(open_images(tmp_path, size=32, upsample=True, split="all")) == 2


def test_class_folders_give_labels(tmp_path, draw):
    for name in ("cat/1", "cat/2", "dog/1"):
        draw(tmp_path / f"{name}.png")
    (tmp_path / "cat" / "0.png").write_bytes(b"rubbish")  # labels stay with their pictures
    data = open_images(tmp_path, split="all")
    assert data.classes == 2
    assert data.class_names == ("cat", "dog")
    assert data.batch([0, 1, 2])[1]["label"].tolist() == [0, 0, 1]


def test_parts_of_a_folder(tmp_path, draw):
    for name in ("train/1", "train/2", "test/3"):
        draw(tmp_path / f"{name}.png")
    assert [len(open_images(tmp_path, split=split)) for split in ("train", "test", "all")] == [2, 1, 3]
    (tmp_path / "test" / "3.png").write_bytes(b"rubbish")
    with pytest.raises(DataError, match="No picture of the test part"):
        open_images(tmp_path, split="test")


def test_a_fifth_is_held_out_by_content():
    train, test = (
        values(open_images(RAMP, split=split).batch(range(n))[0]) for split, n in (("train", 40), ("test", 10))
    )
    assert {x.tobytes() for x in train} | {x.tobytes() for x in test} == {x.tobytes() for x in RAMP}
    shuffled = RAMP[np.random.default_rng(1).permutation(50)]
    assert {x.tobytes() for x in values(open_images(shuffled, split="test").batch(range(10))[0])} == {
        x.tobytes() for x in test
    }
    doubled = open_images(np.concatenate([RAMP, RAMP]), split="test")
    assert len(doubled) == 20  # a picture and its copy are on one side


def test_the_split_does_not_depend_on_size(tmp_path, draw):
    for i in range(10):
        draw(tmp_path / f"{i}.png", 16, 16)
    small, large = (open_images(tmp_path, size=size, split="test") for size in (4, 16))
    assert small.rows.tolist() == large.rows.tolist()


def test_too_few_pictures_hold_nothing_out(tmp_path, draw):
    draw(tmp_path / "a.png")
    assert len(open_images(tmp_path / "a.png")) == 1
    with pytest.raises(DataError, match="fewer than five different pictures"):
        open_images(tmp_path / "a.png", split="test")


def test_a_limit_is_spread_evenly():
    data = open_images(RAMP, split="all", limit=5)
    np.testing.assert_array_equal(values(data.batch(range(5))[0]), RAMP[::10])
    assert len(open_images(RAMP, split="all", limit=500)) == 50


def test_the_fingerprint_is_of_the_pixels(tmp_path):
    from PIL import Image

    pixels = RAMP[:10].transpose(0, 2, 3, 1)
    np.savez(tmp_path / "x.npz", images=pixels)
    (tmp_path / "folder").mkdir()
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / "folder" / f"{i}.png")
    prints = [open_images(source, split="all").fingerprint for source in (tmp_path / "x.npz", tmp_path / "folder")]
    assert prints == [open_images(RAMP[:10], split="all", flip=True).fingerprint] * 2
    others = [
        open_images(RAMP[:9], split="all"),
        open_images(RAMP[9::-1], split="all"),
        open_images(RAMP[:10], split="all", size=4),
        open_images(RAMP[:10], split="all", size=4, crop="random", resize=False),
        open_images(RAMP[:10], split="all", size=4, crop="random", resize=False, crops=7),
        open_images(RAMP[:10], split="all", channels=1),
        open_images(RAMP[:10]),
    ]
    assert len({prints[0], *(other.fingerprint for other in others)}) == 8


def test_digits_are_exact_at_their_own_size():
    data = open_images("digits", split="all")
    assert isinstance(data, Images)
    assert (len(data), data.shape, data.classes, data.levels) == (1797, (1, 8, 8), 10, 17)
    x, cond = data.batch(range(1797))
    from sklearn.datasets import load_digits

    table, labels = load_digits(return_X_y=True)
    torch.testing.assert_close(x.reshape(1797, 64).double(), torch.from_numpy(table) / 8 - 1, rtol=0, atol=0)
    assert cond["label"].tolist() == labels.tolist()
    assert [len(open_images("digits", split=split)) for split in ("train", "test")] == [1438, 359]


def test_digits_may_be_enlarged():
    small, large = (open_images("digits", size=size, limit=100) for size in (8, 16))
    assert large.shape == (1, 16, 16)
    assert large.levels == 256
    x = torch.nn.functional.avg_pool2d(large.batch(range(100))[0], 2)
    assert (x - small.batch(range(100))[0]).abs().mean() < 0.1  # still the same digits
    with pytest.raises(DataError, match="smaller than the 16x16"):
        open_images("digits", size=16, upsample=False)


def test_photos_give_endless_crops():
    data = open_images("photos", size=32)
    assert data.shape == (3, 32, 32)
    assert len(data) >= 1000
    assert data.pictures == 8
    index = list(range(64))
    x = data.batch(index, Streams(0, index))[0]
    assert x.min() < -0.8
    assert x.max() > 0.8
    assert len({row.numpy().tobytes() for row in x}) == 64
    assert open_images("photos", size=32, split="test").pictures == 1
    assert len(open_images("photos", size=32, crop="center", split="all")) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "dev"}, "split 'dev'"),
        ({"channels": 2}, "channels=2"),
        ({"limit": 0}, "limit=0"),
        ({"crops": 2}, "several crops"),
        ({"crop": "corner"}, "crop 'corner'"),
        ({"size": 0}, r"size \(0, 0\)"),
    ],
)
def test_options_without_a_meaning(options, message):
    with pytest.raises(ConfigError, match=message):
        open_images(RAMP, **options)
