import os
import subprocess
import sys
from pathlib import Path

import pytest

from unveil.core.errors import ConfigError, DataError, MissingDependencyError
from unveil.data import open_images, sources
from unveil.data.sources import Source, check_source
from unveil.data.split import check_split


def test_neither_torch_nor_numpy_is_imported():
    program = "import sys, unveil.data.sources; sys.exit(bool({'torch', 'numpy', 'PIL'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2]).returncode == 0


def test_each_kind_is_told_by_its_name(tmp_path, draw):
    draw(tmp_path / "some" / "deep" / "a.PNG")
    for name in ("b.npz", "c.npy", "train-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte", "e.jpeg"):
        (tmp_path / name).write_bytes(b"anything")
    mnist = tmp_path / "mnist"
    mnist.mkdir()
    (mnist / "train-images-idx3-ubyte").write_bytes(b"anything")
    assert check_source("digits") == Source("embedded", "digits")
    assert check_source(tmp_path / "some") == Source("folder", "some", tmp_path / "some")
    assert check_source(str(tmp_path / "b.npz")) == Source("npz", "b", tmp_path / "b.npz")
    assert check_source(tmp_path / "c.npy").kind == "npy"
    assert check_source(tmp_path / "train-images-idx3-ubyte.gz").kind == "idx"
    assert check_source(tmp_path / "t10k-images.idx3-ubyte").kind == "idx"
    assert check_source(tmp_path / "e.jpeg").kind == "image"
    assert check_source(mnist).kind == "idx"


def test_a_folder_of_that_name_is_reached_by_its_path(tmp_path, draw, monkeypatch):
    draw(tmp_path / "digits" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert check_source("digits").kind == "embedded"
    assert check_source("./digits").kind == "folder"


def test_near_names_are_suggested(tmp_path, draw):
    draw(tmp_path / "holidays" / "a.png")
    with pytest.raises(DataError, match=r"no file, folder or embedded source 'digts'\. Did you mean 'digits'\?"):
        check_source("digts")
    with pytest.raises(DataError, match=r"Did you mean '.*/holidays'"):
        check_source(tmp_path / "holiday")
    with pytest.raises(DataError, match="hf:NAME"):
        check_source(tmp_path / "qqqq" / "wwww")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"x", r"'\.txt' files are not read as images"),
        ("a", b"x", "files without a suffix"),
        ("a.png", b"", r"is empty \(0 bytes\)"),
    ],
)
def test_files_that_cannot_be_images(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        check_source(tmp_path / name)


def test_folders_without_images(tmp_path):
    with pytest.raises(DataError, match="is empty"):
        check_source(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match="holds no images"):
        check_source(tmp_path)
    (tmp_path / "x.npz").write_text("nothing")
    assert check_source(tmp_path).kind == "videos"  # perhaps clips; no pictures in any case
    with pytest.raises(DataError, match=r"It holds 'x\.npz': give that file itself"):
        open_images(tmp_path)


def test_what_is_no_path_at_all(tmp_path):
    for text, message in (("", "is empty"), ("a\0b", r"'a\\x00b' cannot be read"), ("x" * 5000, "file name too long")):
        with pytest.raises(DataError, match=message):
            check_source(text)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(DataError, match="symbolic links"):
        check_source(loop)
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="neither a file nor a folder"):
        check_source(pipe)


def test_what_may_not_be_read(tmp_path, draw, monkeypatch):
    draw(tmp_path / "a.png")
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may read all
    with pytest.raises(DataError, match="permission denied"):
        check_source(tmp_path / "a.png")


def test_a_hub_name_needs_its_library(monkeypatch):
    assert check_source("hf:someone/pictures") == Source("hub", "someone/pictures")
    with pytest.raises(DataError, match="needs the name"):
        check_source("hf:")
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"unveil\[hub\]"):
        check_source("hf:someone/pictures")


def test_a_part_of_another_name_is_refused():
    for split in ("train", "test", "all"):
        check_split(split)
    with pytest.raises(ConfigError, match="split 'half' is not known; take train, test or all"):
        check_split("half")
