"""Files of bodies and motions are whole or not there."""

import errno
import os

import pytest
import torch

from unveil.body import JointMap, random_motion, save_body, write_amass, write_bvh, write_glb, write_surface
from unveil.core.errors import UnveilError

NAMES = ("walk.bvh", "walk.bvh.gz", "walk.npz", "walk.glb", "skin.obj", "skin.ply", "body.npz", "names.json")


def write(name, body, folder):
    path, motion = folder / name, random_motion(body, 2, generator=torch.Generator().manual_seed(0))
    match name.split(".", 1):
        case ["walk", "npz"]:
            return write_amass(motion, path, body)
        case ["walk", "glb"]:
            return write_glb(body.character(motion.shape, motion.gender), path)
        case ["walk", _]:
            return write_bvh(motion.motion(body), path)
        case ["skin", _]:
            return write_surface(body.template[0], body.faces, path)
        case ["body", _]:
            return save_body(body, path)
    return JointMap({"left_knee": "Knee.L"}).save(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(tmp_path, body, monkeypatch, name):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / name).write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UnveilError, match=f"{name}' cannot be written: no space left on device"):
            write(name, body, tmp_path)
    assert (tmp_path / name).read_text() == "old"
    assert write(name, body, tmp_path) == tmp_path / name
    assert (tmp_path / name).read_bytes() != b"old"
    assert os.listdir(tmp_path) == [name]
