import os

import pytest
import torch
from codec_photos import decibels, fitted, photo, through
from safetensors.torch import load_file, save_file

from unveil.codecs import load_codec, save_codec
from unveil.core.errors import DataError, ExistsError, UnveilError


def test_a_codec_comes_back_whole(tmp_path):
    codec = fitted("RQ-32-8-8")
    again = load_codec(save_codec(codec, tmp_path / "deep" / "mine.safetensors"))
    assert again.fingerprint == codec.fingerprint
    assert torch.equal(again.encode(photo("coffee")[None]), codec.encode(photo("coffee")[None]))
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["mine.safetensors"]


def test_nothing_is_overwritten_unasked(tmp_path):
    file = tmp_path / "mine.safetensors"
    save_codec(fitted(), file)
    with pytest.raises(ExistsError, match="exists already"):
        save_codec(fitted("VQ-8-8-8"), file)
    save_codec(fitted("VQ-8-8-8"), file, force=True)
    assert load_codec(file).layout.name == "VQ-8-8-8"


def test_every_flipped_byte_is_found(tmp_path):
    file = save_codec(fitted("VQ-8-8-8"), tmp_path / "mine.safetensors")
    whole = file.read_bytes()
    for place in range(0, len(whole), 1999):
        damaged = bytearray(whole)
        damaged[place] ^= 16
        file.write_bytes(damaged)
        with pytest.raises(DataError):
            load_codec(file)
    file.write_bytes(whole[:-100])
    with pytest.raises(DataError, match="damaged"):
        load_codec(file)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_codec(tmp_path / "nowhere.safetensors")
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(DataError, match="it is a folder, or no regular file"):
            load_codec(place)
    save_file({"x": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(DataError, match="is no file of a codec"):
        load_codec(tmp_path / "x.safetensors")
    tensors = load_file(save_codec(fitted(), tmp_path / "mine.safetensors"))
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "unveil-codec", "version": "2"})
    with pytest.raises(DataError, match="version 2"):
        load_codec(tmp_path / "x.safetensors")
    (tmp_path / "file").write_text("")
    with pytest.raises(UnveilError):
        save_codec(fitted(), tmp_path / "file" / "mine.safetensors")


def test_the_codec_that_comes_along_is_small_ordered_and_good():
    codec = load_codec()
    assert codec.layout.name == "OPQ-32-8-8"
    assert codec.ordered
    assert decibels(through(codec, photo("astronaut")), photo("astronaut")) > 26
