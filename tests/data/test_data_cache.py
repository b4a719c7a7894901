import errno
import multiprocessing
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from unveil.core.errors import DataError, UnveilError
from unveil.data import cache as caching
from unveil.data import open_images


@pytest.fixture
def folder(tmp_path, draw):
    for i in range(6):
        draw(tmp_path / "pictures" / f"{i}.png", 10 + i, 12, channels=3 if i % 2 else 1)
    (tmp_path / "pictures" / "bad.png").write_bytes(b"rubbish")
    return tmp_path / "pictures"


def opened(folder, cache=True, **options):
    options = {"size": 8, "split": "all", **options}
    return open_images(folder, cache=cache, **options)


@pytest.fixture
def decodings(monkeypatch):
    """Count how often a file is decoded."""
    count = []
    decode = caching.decode

    def counted(*args):
        count.append(1)
        return decode(*args)

    monkeypatch.setattr(caching, "decode", counted)
    return count


@pytest.mark.parametrize("crop", ["center", "random", "none"])
def test_mapped_pictures_equal_those_in_memory(folder, crop, decodings):
    memory, first, again = (opened(folder, cache, crop=crop) for cache in (False, True, True))
    assert len(decodings) == 2 * 7  # the third was not decoded
    assert memory.fingerprint == first.fingerprint == again.fingerprint
    assert (
        memory.skipped
        == again.skipped
        == [(str(folder / "bad.png"), "it is not an image, or its beginning is damaged")]
    )
    for generator in (None, torch.Generator().manual_seed(0)):
        state = generator and generator.get_state()
        expected = memory.batch(range(6), generator)[0]
        if generator:
            generator.set_state(state)
        torch.testing.assert_close(again.batch(range(6), generator)[0], expected, rtol=0, atol=0)


def test_the_cache_knows_when_it_is_out_of_date(folder, draw, decodings, own_cache):
    first = opened(folder)
    draw(folder / "3.png", 13, 12, seed=1)
    assert opened(folder).fingerprint != first.fingerprint
    assert len(decodings) == 14
    (folder / "6.png").write_bytes((folder / "3.png").read_bytes())
    assert len(opened(folder)) == 7
    assert len(list((own_cache / "images").glob("*/*/pixels.bin"))) == 1  # old states make room
    opened(folder, size=9)
    assert len(list((own_cache / "images").glob("*/*/pixels.bin"))) == 2
    before = len(decodings)
    opened(folder, channels=3)  # RGB needs no other pixels than the pictures' own
    assert len(decodings) == before
    opened(folder, channels=1)
    assert len(decodings) > before


def test_small_collections_stay_in_memory(folder, own_cache, monkeypatch):
    opened(folder, None)
    assert not list(own_cache.iterdir())
    monkeypatch.setattr(caching, "_SMALL", 0)
    opened(folder, None)
    assert list(own_cache.glob("images/*/*/pixels.bin"))


def test_a_folder_of_ones_own(folder, tmp_path):
    opened(folder, tmp_path / "mine")
    assert list((tmp_path / "mine").glob("images/*/*/pixels.bin"))


@pytest.mark.parametrize("name", ["pixels.bin", "index.npz", "about.json"])
@pytest.mark.parametrize("left", [None, 0, 20])
def test_a_damaged_cache_is_written_anew(folder, own_cache, decodings, name, left):
    first = opened(folder)
    (file,) = own_cache.glob(f"images/*/*/{name}")
    if left is None:
        file.unlink()
    else:
        os.truncate(file, left)
    assert opened(folder).fingerprint == first.fingerprint
    assert len(decodings) == 14


def test_leftovers_of_a_killed_process_are_swept(folder, own_cache):
    opened(folder)
    (place,) = own_cache.glob("images/*")
    (place / "tmpkilled").mkdir()
    (place / "tmpkilled" / "pixels.bin").write_bytes(b"half")
    shutil.rmtree(next(path for path in place.iterdir() if path.is_dir() and path.name != "tmpkilled"))
    opened(folder)
    assert len(list(place.iterdir())) == 2  # the pictures and the lock


def _open_in_a_process(folder, answers):
    answers.put(open_images(folder, size=8, split="all", cache=True).fingerprint)


def test_several_processes_at_once(folder):
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    processes = [context.Process(target=_open_in_a_process, args=(folder, answers)) for _ in range(4)]
    for process in processes:
        process.start()
    found = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert found == {opened(folder, False).fingerprint}


def test_a_disk_without_locks(folder, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert opened(folder).fingerprint == opened(folder, False).fingerprint


def test_a_full_disk_is_told_and_leaves_nothing(folder, own_cache, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnveilError, match=r"cannot be kept in .*: no space left on device.*UNVEIL_CACHE.*cache=False"):
        opened(folder)
    assert not list(own_cache.glob("images/*/*/pixels.bin"))


def test_a_cache_that_is_a_file(folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnveilError, match="cannot be kept"):
        opened(folder, tmp_path / "file")


def test_damaged_files_are_named_skipped_and_counted(folder, monkeypatch):
    (folder / "cut.png").write_bytes((folder / "5.png").read_bytes()[:200])
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    Image.new("L", (15, 15)).save(folder / "bomb.png")
    data = opened(folder)
    reasons = {path.removeprefix(f"{folder}/"): why for path, why in data.skipped}
    assert list(reasons) == ["bad.png", "bomb.png", "cut.png", "gone.png", "pipe.png"]
    assert "more than 200 pixels" in reasons["bomb.png"]
    assert "truncated" in reasons["cut.png"]
    assert reasons["gone.png"] == "no such file or directory"
    assert reasons["pipe.png"] == "it is not a regular file"
    assert len(data) == 6


def test_all_damaged_and_only_one(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"rubbish")
    with pytest.raises(
        DataError, match=r"None of the 2 images can be read\. The first: '.*a\.png': it is not an image"
    ):
        open_images(tmp_path, size=8)
    with pytest.raises(DataError, match=r"'.*b\.png' cannot be read as an image: it is not an image"):
        open_images(tmp_path / "b.png", size=8)


def test_a_file_that_may_not_be_read(folder, monkeypatch):
    read = type(folder).read_bytes

    def refuse(path):
        if path.name == "2.png":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path)

    monkeypatch.setattr(type(folder), "read_bytes", refuse)  # the tests may run as root, who may read all
    assert (str(folder / "2.png"), "permission denied") in opened(folder).skipped


def test_weird_names(tmp_path, draw):
    names = ["a b.png", "süß 猫.png", "[red]%s{}.png", "new\nline.png", "'quote'.png"]
    for name in names:
        draw(tmp_path / name)
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    with open(raw, "wb") as file:
        file.write((tmp_path / names[0]).read_bytes())
    with open(os.fsencode(tmp_path) + b"/\xfe.png", "wb") as file:
        file.write(b"rubbish")
    for _ in range(2):  # written to the cache, and read from it
        data = opened(tmp_path)
        assert len(data) == 6
        assert data.skipped[0][0].endswith("\\udcfe.png")


def test_progress_is_told(folder):
    told = []
    opened(folder, progress=lambda done, total: told.append((done, total)))
    assert told == [(i + 1, 7) for i in range(7)]


def test_animations_are_noted(tmp_path):
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    for _ in range(2):
        data = opened(tmp_path, channels=1)
        assert data.notes == ("1 of the files have several frames or pages; the first of each is used.",)
    assert (data.batch([0])[0] == 10 / 127.5 - 1).all()
