"""One picture at its working size: where it may come from, what is said of it, and that its file stays as it is."""

import numpy as np
import pytest
import torch
from PIL import Image

from unveil.core.errors import ConfigError, DataError
from unveil.data import load_image, open_images
from unveil.data.photograph import open_photograph
from unveil.data.sources import PHOTOS, check_source
from unveil.pyramids import resize


@pytest.fixture
def photo(tmp_path):
    def make(width=90, height=60, name="photo.png", mode="RGB"):
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, len(mode)), dtype=np.uint8)
        path = tmp_path / name
        Image.fromarray(pixels.squeeze(), mode=mode).save(path)
        return path

    return make


def test_a_picture_is_shrunk_with_a_word_and_its_file_stays(photo):
    path = photo(400, 300)
    before = path.read_bytes()
    opened = open_photograph(path, longest=160)
    assert opened.shape == (3, 120, 160)
    assert len(opened) == 1
    (note,) = opened.notes
    assert "400 x 300 pixels (width x height); it is learned at 160 x 120" in note
    assert path.read_bytes() == before
    torch.testing.assert_close(opened.x, resize(load_image(path)[None], (120, 160)).clamp(-1, 1)[0])


def test_small_pictures_are_not_enlarged(photo):
    opened = open_photograph(photo(50, 40), longest=160)
    assert opened.shape == (3, 40, 50)
    assert opened.notes == ()
    assert torch.equal(opened.x, load_image(photo(50, 40)))


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(1000, 30, (28, 933)), (1000, 20, (20, 1000)), (60, 900, (420, 28)), (300, 200, (107, 160))],
)
def test_very_long_pictures_keep_a_short_side(photo, width, height, size):
    assert open_photograph(photo(width, height), longest=160, shortest=28).shape == (3, *size)


def test_a_run_opens_the_picture_at_the_size_it_has_found(photo):
    path = photo(400, 301)
    first = open_photograph(path, longest=160)
    again = open_photograph(path, longest=160, size=first.shape[1:])
    assert torch.equal(first.x, again.x)
    assert first.fingerprint == again.fingerprint
    assert again.notes == ()
    with pytest.raises(ConfigError, match="in its own proportions"):
        open_photograph(path, size=(100, 100))


def test_channels_can_be_chosen(photo):
    assert open_photograph(photo(mode="L")).shape == (1, 60, 90)
    assert open_photograph(photo(mode="L"), channels=3).shape == (3, 60, 90)
    assert open_photograph(photo(), channels=1).shape == (1, 60, 90)
    assert "laid over white" in open_photograph(photo(mode="RGBA")).notes[0]


def test_what_is_rounded_is_told(tmp_path):
    Image.fromarray(np.arange(60 * 90, dtype=np.uint16).reshape(60, 90) * 12).save(tmp_path / "deep.png")
    assert "more than 8 bits a channel; it is rounded to 8" in open_photograph(tmp_path / "deep.png").notes[0]


def test_a_batch_is_the_picture_again_and_again(photo):
    opened = open_photograph(photo())
    x, known = opened.batch([0, 0, 0])
    assert x.shape == (3, 3, 60, 90)
    assert known == {}
    assert torch.equal(x[1], opened.x)
    with pytest.raises(IndexError, match="one picture, of index 0"):
        opened.batch([0, 1])


def test_nothing_of_a_hole_comes_along(photo, tmp_path):
    path = photo(80, 60)
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 30:50] = 255
    Image.fromarray(mask).save(tmp_path / "hole.png")
    opened = open_photograph(path, longest=40, hole=tmp_path / "hole.png")
    assert opened.hole.shape == (1, 30, 40)
    assert bool(opened.hole[:, 11:19, 16:24].all())
    assert 0.1 < opened.hole.mean() < 0.25
    pixels = np.asarray(Image.open(path)).copy()
    pixels[20:40, 30:50] = 7
    Image.fromarray(pixels).save(path)
    assert open_photograph(path, longest=40, hole=tmp_path / "hole.png").fingerprint == opened.fingerprint
    assert open_photograph(path, longest=40).fingerprint != opened.fingerprint
    assert opened.batch([0, 0])[1]["hole"].shape == (2, 1, 30, 40)


@pytest.mark.parametrize(
    ("size", "value", "said"),
    [((80, 61), 255, "80 x 61 pixels (width x height), and the picture is 90 x 60"), ((90, 60), 0, "dark everywhere"),
     ((90, 60), 255, "all of the picture")],
)  # fmt: skip
def test_holes_that_cannot_be_are_refused(photo, tmp_path, size, value, said):
    Image.new("L", size, value).save(tmp_path / "hole.png")
    with pytest.raises(DataError) as refusal:
        open_photograph(photo(), hole=tmp_path / "hole.png")
    assert said in str(refusal.value)


def test_a_picture_is_no_hole_and_a_grid_leaves_nothing_at_a_small_size(photo, tmp_path):
    path = photo(90, 60)
    with pytest.raises(DataError, match=r"The hole in .* is no mask: .* neither black nor white"):
        open_photograph(path, hole=path)
    grid = np.zeros((60, 90), np.uint8)
    grid[::5], grid[:, ::5] = 255, 255
    Image.fromarray(grid).save(tmp_path / "grid.png")
    assert 0 < open_photograph(path, hole=tmp_path / "grid.png").hole.mean() < 1
    with pytest.raises(DataError, match=r"leaves no pixel of the picture known at 18 x 12 .*data\.longest"):
        open_photograph(path, longest=18, hole=tmp_path / "grid.png")


def test_one_colour_is_told_before_a_training_begins(tmp_path):
    pixels = np.full((60, 90, 3), 120, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "flat.png")
    with pytest.raises(DataError, match=r"flat\.png has one colour everywhere"):
        open_photograph(tmp_path / "flat.png")
    mask = np.zeros((60, 90), np.uint8)
    mask[20:40, 30:60] = 255
    pixels[20:40, 30:60] = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "flat.png")
    Image.fromarray(mask).save(tmp_path / "hole.png")
    open_photograph(tmp_path / "flat.png")
    with pytest.raises(DataError, match="outside its hole has one colour everywhere"):
        open_photograph(tmp_path / "flat.png", hole=tmp_path / "hole.png")


def test_embedded_photographs_have_names():
    for name in PHOTOS:
        assert check_source(f"photos/{name}").kind == "embedded"
    opened = open_photograph("photos/rocket", longest=100)
    assert opened.shape == (3, 67, 100)
    assert open_images("photos/rocket").shape == (3, 427, 640)
    with pytest.raises(DataError, match=r"no embedded photograph 'photos/roket'\. Did you mean photos/rocket\?"):
        check_source("photos/roket")


def test_an_array_with_one_picture_will_do(tmp_path):
    np.save(tmp_path / "one.npy", np.random.default_rng(0).integers(0, 256, (1, 30, 40, 3), dtype=np.uint8))
    assert open_photograph(tmp_path / "one.npy").shape == (3, 30, 40)
    np.save(tmp_path / "two.npy", np.zeros((2, 30, 40, 3), np.uint8))
    with pytest.raises(DataError, match="holds 2 pictures, and this model learns from one"):
        open_photograph(tmp_path / "two.npy")


def test_what_is_not_one_picture_is_refused(photo):
    path = photo()
    for source, said in (
        ("photos", "name one of photos/astronaut"),
        (path.parent, "such as .*photo.png"),
        ("digits", "'digits' is not one picture"),
        ("eight-gaussians", "is not one picture"),
        (path.parent / "nothing.png", "There is no file"),
    ):
        with pytest.raises(DataError, match=said):
            open_photograph(source)
    with pytest.raises(ConfigError, match="longest is 0"):
        open_photograph(path, longest=0)
