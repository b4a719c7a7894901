import os

import pytest

from unveil.core.errors import DataError
from unveil.data.folders import list_folder, walk


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_images_at_any_depth_in_the_order_of_their_names(tmp_path):
    touch(tmp_path, "b.png", "a/z.JPG", "a/c/y.webp", "notes.txt", ".hidden.png", ".git/x.png", "__MACOSX/x.png")
    assert list(walk(tmp_path)) == ["a/c/y.webp", "a/z.JPG", "b.png"]


def test_links_are_followed_and_loops_end(tmp_path):
    touch(tmp_path, "here/a.png", "elsewhere/b.png")
    (tmp_path / "here" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here" / "up").symlink_to(tmp_path / "here")
    (tmp_path / "here" / "self.png").symlink_to(tmp_path / "here" / "self.png")
    assert list(walk(tmp_path / "here")) == ["a.png", "linked/b.png", "self.png"]


def test_a_closed_folder_is_told(tmp_path, monkeypatch):
    touch(tmp_path, "a.png", "closed/b.png")
    scan = os.scandir

    def refuse(place):
        if place.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scan(place)

    monkeypatch.setattr(os, "scandir", refuse)
    listing = list_folder(tmp_path)
    assert listing.files == ("a.png",)
    assert listing.closed == ((str(tmp_path / "closed"), "permission denied"),)


def test_subfolders_are_classes_only_if_all_images_lie_in_several(tmp_path):
    touch(tmp_path, "cat/1.png", "cat/deep/2.png", "dog/1.png")
    listing = list_folder(tmp_path)
    assert listing.classes == ("cat", "dog")
    assert listing.labels == (0, 0, 1)
    touch(tmp_path, "stray.png")
    assert list_folder(tmp_path).classes is None
    touch(tmp_path / "one", "only/1.png")
    assert list_folder(tmp_path / "one").labels is None


def test_a_stray_picture_that_keeps_folders_from_being_classes_is_named(tmp_path):
    touch(tmp_path, "cat/1.png", "cat/2.png", "dog/1.png")
    assert list_folder(tmp_path).stray == ""
    touch(tmp_path, "stray.png")
    assert "'stray.png' lies beside the folders 'cat' and 'dog', which are" in list_folder(tmp_path).stray
    touch(tmp_path, "a.png", "b.png", "c.png")
    assert list_folder(tmp_path).stray == ""  # most pictures lie there, so nobody meant classes
    touch(tmp_path / "split", "train/cat/1.png", "train/dog/2.png", "train/loose.png", "test/cat/3.png")
    assert "'train/loose.png' lies beside the folders 'cat' and 'dog'" in list_folder(tmp_path / "split").stray


def test_pictures_of_kinds_that_are_not_read_are_counted(tmp_path):
    touch(tmp_path, "a.png", "notes.txt")
    assert list_folder(tmp_path).unread == ""
    touch(tmp_path, "1.heic", "deep/2.HEIC", "raw.CR2")
    listing = list_folder(tmp_path)
    assert listing.files == ("a.png",)
    assert listing.unread.startswith(
        "3 files are of kinds that are not read (.heic 2, .cr2 1); convert them to .png or .jpg"
    )
    touch(tmp_path / "phone", "1.heic")
    with pytest.raises(
        DataError, match=r"holds no images.* 1 file is of a kind that is not read \(\.heic 1\); convert it"
    ):
        list_folder(tmp_path / "phone")


def test_parts_are_subfolders_too(tmp_path):
    touch(tmp_path, "Train/cat/1.png", "Train/dog/2.png", "val/dog/4.png", "test/cat/3.png")
    listing = list_folder(tmp_path)
    assert listing.files == (
        "Train/cat/1.png",
        "Train/dog/2.png",
        "test/cat/3.png",
    )  # where there is a test, val is idle
    assert listing.held_out == (False, False, True)
    assert listing.classes == ("cat", "dog")
    assert listing.labels == (0, 1, 0)
    touch(tmp_path, "other/1.png")
    assert list_folder(tmp_path).held_out is None


def test_val_is_held_out_where_there_is_no_test(tmp_path):
    touch(tmp_path, "train/1.png", "val/2.png")
    assert list_folder(tmp_path).held_out == (False, True)


def test_a_folder_without_images(tmp_path):
    with pytest.raises(DataError, match="holds no images"):
        list_folder(tmp_path)
