import lzma
import tracemalloc

import numpy as np
import pytest
import torch
from codec_photos import fitted, photo

from unveil.codecs import Header, Layout, fit_codec, pack, unpack
from unveil.codecs.bitstream import _FILTERS
from unveil.codecs.headers import _CHECK, _FIXED, seal, unseal
from unveil.core.errors import DataError, ShapeError

SIZE = (45, 70)


def picture():
    return photo("astronaut")[None, :, 40 : 40 + SIZE[0], 180 : 180 + SIZE[1]]


def packed(**options):
    codec = fitted()
    return pack(codec.encode(picture())[0], SIZE, codec, **options)


@pytest.mark.parametrize("compress", [False, True])
def test_codes_come_back(compress):
    codec = fitted()
    found = unpack(packed(compress=compress), codec)
    assert torch.equal(found.codes, codec.encode(picture())[0])
    assert found.size == SIZE
    assert found.codec is codec


def test_a_plain_file_has_the_bytes_of_its_codes_and_a_header():
    patches = 6 * 9
    assert len(packed(compress=False)) == _FIXED.size + patches * 48 // 8 + _CHECK.size
    assert (_FIXED.size, _CHECK.size) == (44, 4)


def test_compressing_saves_a_fifth_and_what_does_not_shrink_stays():
    codec, x = fitted(), photo("astronaut")
    codes = codec.encode(x[None])[0]
    assert len(pack(codes, x.shape[1:], codec)) < 0.8 * len(pack(codes, x.shape[1:], codec, compress=False))
    one = torch.tensor([[[7]]] * 6, dtype=torch.uint8)
    assert pack(one, (3, 3), codec) == pack(one, (3, 3), codec, compress=False)


@pytest.mark.parametrize("bits", [1, 3, 5])
def test_codes_of_few_bits_are_packed(bits):
    codec = fit_codec([photo("chelsea")], f"VQ-{bits}-{bits}-{bits}", bits=bits, patches=2000)
    codes = torch.randint(0, 2**bits, codec.shape_of(30, 50), dtype=torch.uint8)
    data = pack(codes, (30, 50), codec, compress=False)
    assert len(data) == 48 + -(-codes.numel() * bits // 8)
    assert torch.equal(unpack(data, codec).codes, codes)


def test_a_grey_picture_keeps_y_alone():
    codec = fitted()
    grey = picture()[:, :1]
    codes = codec.grey_part().encode(grey)[0]
    found = unpack(pack(codes, SIZE, codec, grey=True), codec)
    assert torch.equal(found.codes, codes)
    assert found.codec.channels == 1
    assert found.codec.decode(found.codes[None], found.size).shape == (1, 1, *SIZE)


def test_the_header_tells_all_without_the_codec():
    header, _ = unseal(packed())
    assert (header.width, header.height, header.layout.name) == (70, 45, "OPQ-32-8-8")
    assert (header.ordered, header.grey) == (True, False)
    assert fitted().fingerprint.startswith(header.fingerprint)


def test_another_codec_is_refused_by_name():
    other = fitted(ordered=False)
    with pytest.raises(DataError, match=f"{fitted().fingerprint[:12]}.*{other.fingerprint[:12]}"):
        unpack(packed(), other)


@pytest.mark.parametrize("compress", [False, True])
def test_every_flipped_bit_and_every_cut_is_found(compress):
    codec, whole = fitted(), packed(compress=compress)
    for place in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            with pytest.raises(DataError):
                unpack(bytes(damaged), codec)
        with pytest.raises(DataError):
            unpack(whole[:place], codec)


def test_of_ten_thousand_random_damages_none_decodes():
    codec, random = fitted(), np.random.default_rng(0)
    whole = [np.frombuffer(packed(compress=compress), np.uint8) for compress in (False, True)]

    def bits(data):
        places = random.integers(0, 8 * len(data), random.integers(1, 40))
        np.bitwise_xor.at(data, places // 8, (1 << (places % 8)).astype(np.uint8))
        return data

    def bytes_(data):
        data[random.integers(0, len(data), 8)] = random.integers(0, 256, 8)
        return data

    def cut(data):
        return data[: random.integers(0, len(data))]

    def hole(data):
        start, length = random.integers(0, len(data)), random.integers(1, 50)
        return np.delete(data, slice(start, start + length))

    def more(data):
        added = random.integers(0, 256, random.integers(1, 50)).astype(np.uint8)
        return np.insert(data, random.integers(0, len(data) + 1), added)

    def zeros(data):
        start = random.integers(0, len(data))
        data[start : start + random.integers(1, 64)] = 0
        return data

    def swapped(data):
        half = random.integers(1, len(data))
        return np.concatenate([data[half:], data[:half]])

    damages = (bits, bytes_, cut, hole, more, zeros, swapped)
    silent, done = [], 0
    while done < 10_000:
        original = whole[done % 2]
        damaged = damages[done % len(damages)](original.copy()).tobytes()
        if damaged == original.tobytes():
            continue
        done += 1
        try:
            unpack(damaged, codec)
        except DataError:
            continue
        silent.append(damaged)
    assert not silent


def forged(change):
    """A file with a true checksum whose header lies."""
    import zlib

    data = bytearray(packed())
    change(data)
    body = bytes(data[:-4])
    return body + zlib.crc32(body).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.__setitem__(4, 9), "version 9"),
        (lambda data: data.__setitem__(4, 0), "version 0"),
        (lambda data: data.__setitem__(5, 255), "does not know"),
        (lambda data: data.__setitem__(15, 4), "does not know"),
        (lambda data: data.__setitem__(slice(6, 14), b"\xff" * 8), "does not know"),
        (lambda data: data.__setitem__(slice(6, 10), bytes(4)), "does not know"),
        (lambda data: data.__setitem__(6, 200), "another number of codes"),
        (lambda data: data.__setitem__(5, data[5] & ~1), "another number of codes"),
        (lambda data: data.__setitem__(23, 0), "does not know"),
        (lambda data: data.__setitem__(16, 9), "names no codec"),
        (lambda data: data.__setitem__(14, 16), "another number of codes"),
        (lambda data: data.__setitem__(slice(44, 60), b"\xff" * 16), "cannot be expanded"),
    ],
)
def test_a_header_that_lies_is_refused(change, says):
    with pytest.raises(DataError, match=says):
        unpack(forged(change), fitted())


def test_a_small_file_cannot_ask_for_more_memory_than_its_codec_does():
    codec, most = fitted(), Layout("RQ", (512, 512, 512), 2)
    header = Header(most, 16_384, 16_384, codec.fingerprint[:32], True, True, False)
    assert header.unpacked > 10**10
    data = seal(header, lzma.compress(bytes(10**8), lzma.FORMAT_RAW, filters=_FILTERS))
    assert len(data) < 20_000
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="another number of codes"):
            unpack(data, codec)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_codes_that_cannot_be_written():
    codec = fitted()
    with pytest.raises(ShapeError, match="has codes of shape"):
        pack(torch.zeros(6, 2, 2, dtype=torch.uint8), (40, 40), codec)
    with pytest.raises(DataError, match="reach from 0 to 300"):
        pack(torch.tensor([0, 300]).reshape(1, 1, 2).expand(6, 1, 2), (8, 16), codec)
    with pytest.raises(DataError, match="whole numbers"):
        pack(torch.full((6, 1, 1), 0.7), (8, 8), codec)
    with pytest.raises(DataError, match="whole numbers"):
        pack(torch.full((6, 1, 1), torch.nan), (8, 8), codec)
    with pytest.raises(ShapeError, match="sides of 1 pixel or more; got 8 x 0"):
        pack(torch.zeros(6, 0, 1, dtype=torch.uint8), (0, 8), codec)
