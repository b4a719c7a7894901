import errno
import json
import os
import stat

import numpy as np
import pytest
import torch
from PIL import Image

from unveil.core.errors import ConfigError, DivergenceError, ExistsError, ShapeError, UnveilError
from unveil.data import grid, load_image, save_animation, save_images, to_uint8


def pictures(count=6, channels=3, height=8, width=8):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, height, width), generator=generator, dtype=torch.uint8)


def test_rounding_and_clipping():
    x = torch.tensor([-2.0, -1.0, -0.9961, 0.0, 0.999, 1.0, 2.0])
    assert to_uint8(x).tolist() == [0, 0, 0, 128, 255, 255, 255]
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(every.float() / 127.5 - 1), every)
    assert torch.equal(to_uint8(every), every)
    with pytest.raises(DivergenceError, match="not finite"):
        to_uint8(torch.tensor([0.0, float("nan")]))


def test_each_picture_has_its_place_in_the_grid():
    x = pictures(5, 1, 4, 6)
    sheet = grid(x, columns=3, padding=2, scale=1)
    assert sheet.shape == (1, 2 * 6 + 2, 3 * 8 + 2)
    for i in range(5):
        top, left = 2 + i // 3 * 6, 2 + i % 3 * 8
        assert torch.equal(sheet[:, top : top + 4, left : left + 6], x[i])
        sheet[:, top : top + 4, left : left + 6] = 255
    assert (sheet == 255).all()  # white all around, and where the sixth would be


@pytest.mark.parametrize(("size", "scale"), [(8, 8), (16, 4), (28, 2), (32, 2), (64, 1), (256, 1)])
def test_small_pictures_are_enlarged(size, scale):
    x = pictures(1, 1, size, size)
    sheet = grid(x, padding=0)
    assert torch.equal(sheet[:, ::scale, ::scale], x[0])
    assert sheet.shape == (1, size * scale, size * scale)


@pytest.mark.parametrize(
    ("count", "columns"), [(1, 1), (2, 2), (4, 2), (7, 3), (8, 4), (9, 3), (10, 5), (12, 4), (64, 8), (100, 10)]
)
def test_rows_are_full_where_they_can_be(count, columns):
    assert grid(pictures(count, 1, 4, 4), padding=0, scale=1).shape[2] == 4 * columns


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 2, 4, 4), (3, 4, 4), (2, 3, 4, 0)])
def test_what_is_no_batch_of_pictures(shape):
    with pytest.raises(ShapeError, match=r"\(B, C, H, W\)"):
        grid(torch.zeros(shape))


@pytest.mark.parametrize("options", [{"columns": 0}, {"padding": -1}, {"scale": 0}])
def test_options_without_a_meaning(options):
    with pytest.raises(ConfigError, match="cannot be"):
        grid(pictures(), **options)


def test_a_sheet_with_its_story(tmp_path):
    path = save_images(pictures(), tmp_path / "new" / "grid.png", metadata={"seed": 3, "recipe": "a: b\nc: ä"})
    with Image.open(path) as image:
        assert image.text == {"Software": "unveil", "seed": "3", "recipe": "a: b\nc: ä"}
        np.testing.assert_array_equal(np.asarray(image), grid(pictures()).permute(1, 2, 0).numpy())
    assert os.listdir(path.parent) == ["grid.png"]
    assert path.stat().st_mode & stat.S_IRGRP or os.umask(0o077) & 0o040  # readable like any other file


def test_one_picture_is_saved_pixel_for_pixel(tmp_path):
    x = pictures(1)
    for picture in (x, x[0], x.float() / 127.5 - 1):
        save_images(picture, tmp_path / "one.png", force=True)
        torch.testing.assert_close(load_image(tmp_path / "one.png"), x[0].float() / 127.5 - 1)
    save_images(x, tmp_path / "one.png", scale=3, force=True)
    assert load_image(tmp_path / "one.png").shape == (3, 24, 24)


def test_a_folder_of_numbered_pictures(tmp_path):
    x = pictures(3, 1)
    folder = save_images(x, tmp_path / "samples-0.5", metadata={"seed": 1})
    assert sorted(os.listdir(folder)) == ["00000.png", "00001.png", "00002.png"]
    for i in range(3):
        assert torch.equal(to_uint8(load_image(folder / f"{i:05d}.png")), x[i])
    assert Image.open(folder / "00002.png").text == {"Software": "unveil", "seed": "1"}
    assert os.listdir(tmp_path) == ["samples-0.5"]


def test_nothing_is_overwritten_unasked(tmp_path):
    path = save_images(pictures(), tmp_path / "grid.png")
    before = path.read_bytes()
    with pytest.raises(ExistsError, match=r"grid\.png' exists already.*with force"):
        save_images(pictures(2), path)
    assert path.read_bytes() == before
    save_images(pictures(2), path, force=True)
    assert path.read_bytes() != before
    with pytest.raises(ExistsError, match="is a file"):
        save_images(pictures(2), tmp_path / "file", force=bool((tmp_path / "file").write_text("mine")))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ExistsError, match="is a folder"):
        save_images(pictures(), tmp_path / "folder.png", force=True)


def test_force_replaces_the_pictures_of_a_folder(tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / ".hidden").write_text("mine")
    save_images(pictures(4), folder)  # an empty folder is free
    with pytest.raises(ExistsError, match="holds pictures; choose another, or replace them with force"):
        save_images(pictures(2), folder)
    assert len(os.listdir(folder)) == 5
    save_images(pictures(2, 1), folder, force=True)
    assert sorted(os.listdir(folder)) == [".hidden", "00000.png", "00001.png"]
    assert load_image(folder / "00000.png").shape[0] == 1


@pytest.mark.parametrize("name", ["notes.txt", "sample.png", "00003.png", "00001.png/a.png"])
@pytest.mark.parametrize("force", [False, True])
def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path, name, force):
    folder = save_images(pictures(1), tmp_path / "samples")
    before = (folder / "00000.png").read_bytes()
    (folder / name).parent.mkdir(exist_ok=True)
    Image.new("L", (4, 4)).save(folder / name, "PNG")  # a picture of someone else
    with pytest.raises(ExistsError, match=f"holds '{name.partition('/')[0]}', which is none of the pictures"):
        save_images(pictures(2), folder, force=force)
    assert (folder / "00000.png").read_bytes() == before
    assert len(os.listdir(folder)) == 2


@pytest.mark.parametrize("name", ["", ".", ".png", "there/.PNG"])
def test_pictures_need_a_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="is no name to save pictures by"):
        save_images(pictures(), name, force=True)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (torch.zeros(8), r"\(C, H, W\) for one; got \(8,\)"),
        (torch.zeros(8, 8), r"got \(8, 8\)"),
        (torch.zeros(4, 2, 8, 8), r"1 channel \(grey\) or 3 \(RGB\); got \(4, 2, 8, 8\), which has 2\.$"),
        (torch.zeros(4, 8, 8, 3), "which has 8. These lie behind"),
        (torch.zeros(0, 3, 8, 8), "nothing to see"),
        (np.zeros((3, 8, 8)), "a tensor; got a ndarray"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), "floating point numbers in"),
        (torch.zeros(3, 8, 8, dtype=torch.bool), "torch.bool"),
    ],
)
def test_what_cannot_be_saved_is_told(tmp_path, x, said):
    with pytest.raises(UnveilError, match=said):
        save_images(x, tmp_path / "a.png")
    assert not os.listdir(tmp_path)


def test_other_kinds_of_file_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"saved as one \.png"):
        save_images(pictures(), tmp_path / "grid.jpg")
    with pytest.raises(ConfigError, match=r"saved as \.gif"):
        save_animation([pictures()], tmp_path / "film.mp4")
    with pytest.raises(ConfigError, match="fps=0"):
        save_animation([pictures()], tmp_path / "film.gif", fps=0)
    with pytest.raises(ShapeError, match="no frames"):
        save_animation([], tmp_path / "film.gif")


@pytest.mark.parametrize("name", ["grid.png", "folder", "film.gif"])
@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EACCES])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch, name, kind):
    def full(*_, **__):
        raise OSError(kind, os.strerror(kind))

    monkeypatch.setattr(Image.Image, "save", full)
    save = save_images if name != "film.gif" else lambda x, path: save_animation([x], path)
    with pytest.raises(UnveilError, match=f"{name}' cannot be written: {os.strerror(kind).lower()}"):
        save(pictures(), tmp_path / name)
    assert not os.listdir(tmp_path)


def test_an_animation_plays_its_frames(tmp_path):
    frames = torch.stack([torch.full((4, 1, 16, 16), value) for value in (-1.0, 0.0, 1.0)])
    path = save_animation(frames, tmp_path / "film.gif", fps=20, hold=2, metadata={"seed": 7})
    with Image.open(path) as film:
        assert film.n_frames == 3
        assert film.info["loop"] == 0
        assert json.loads(film.info["comment"]) == {"seed": 7}
        shown, times = [], []
        for i in range(3):
            film.seek(i)
            shown.append(film.convert("L").getpixel((10, 10)))
            times.append(film.info["duration"])
    assert shown == [0, 128, 255]
    assert times == [50, 50, 2000]
    with pytest.raises(ExistsError):
        save_animation(frames, path)


def test_an_animation_in_colour(tmp_path):
    red = torch.tensor([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1).expand(1, 3, 8, 8)
    path = save_animation(iter([red, red.flip(1)]), tmp_path / "film.gif", padding=0)
    with Image.open(path) as film:
        film.seek(1)
        assert film.convert("RGB").getpixel((5, 5)) == (0, 0, 255)
