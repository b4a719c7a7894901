"""What every data set promises: samples by index, the same ones whenever and with whomever they are fetched."""

import numpy as np
import pytest
import torch
from contracts.found import classes_with

from unveil.body import random_bodies
from unveil.core.protocols import Dataset
from unveil.core.random import Streams
from unveil.data import Images, MovingDigits, Videos, open_images, open_videos
from unveil.data.photograph import Photograph
from unveil.data.points import Points
from unveil.data.poses import Poses
from unveil.data.random_poses import RandomPoses
from unveil.geometry import matrix_to_6d


def pictures(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 12, 12, 3), dtype=np.uint8)
    np.savez(folder / "pictures.npz", train_images=pixels, train_labels=np.arange(30) % 3)
    return open_images(folder / "pictures.npz", size=8, crop="random", flip=True)


def clips(folder):
    np.save(folder / "clips.npy", np.random.default_rng(0).integers(0, 256, (6, 20, 8, 8), dtype=np.uint8))
    return open_videos(folder / "clips.npy", frames=4, flip=True, stride=(1, 2))


def poses(folder):
    drawn = random_bodies(20, Streams(0, 20))
    return Poses("drawn", matrix_to_6d(drawn.pose), drawn.shape, drawn.gender)


def flying(folder):
    sprites = np.full((3, 4, 4), 255, np.uint8)
    return MovingDigits(sprites, 8, 5, digits=1, speed=2, strides=(1, 2), count=20)


IMPLEMENTATIONS = {
    Images: pictures,
    Videos: clips,
    MovingDigits: flying,
    Photograph: lambda folder: Photograph("grey", torch.zeros(3, 6, 8)),
    Points: lambda folder: Points(50),
    Poses: poses,
    RandomPoses: lambda folder: RandomPoses(40),
}
WITHIN = {Images, Videos, MovingDigits, Photograph, Poses, RandomPoses}
"""Numbers in [-1, 1]; points of the plane lie where they lie."""


@pytest.fixture(params=IMPLEMENTATIONS.values(), ids=[kind.__name__ for kind in IMPLEMENTATIONS])
def data(request, tmp_path):
    return request.param(tmp_path)


def rows(data, n=5):
    return [i % len(data) for i in range(2, 2 + n)]


def same(first, second):
    (x, known), (y, also) = first, second
    assert torch.equal(x, y)
    assert known.keys() == also.keys()
    assert all(torch.equal(known[name], also[name]) for name in known)


def test_every_data_set_is_here(tmp_path):
    assert set(IMPLEMENTATIONS) == classes_with(Dataset)
    assert all(type(made(tmp_path)) is kind for kind, made in IMPLEMENTATIONS.items())


def test_samples_have_the_shape_that_is_told(data):
    x, known = data.batch(rows(data), Streams(0, 5))
    assert x.shape == (5, *data.shape)
    assert x.dtype == torch.float32
    assert all(len(value) == 5 for value in known.values())
    assert bool(x.isfinite().all())
    if type(data) in WITHIN:
        assert float(x.abs().max()) <= 1 + 1e-6


def test_the_same_index_is_the_same_sample(data):
    same(data.batch(rows(data)), data.batch(rows(data)))
    same(data.batch(rows(data), Streams(1, 5)), data.batch(rows(data), Streams(1, 5)))


def test_a_sample_does_not_depend_on_its_company(data):
    index = rows(data)
    for streams in (None, Streams(1, 5)):
        x, known = data.batch(index, streams)
        for i, place in enumerate(index):
            own = None if streams is None else Streams(1, [i])
            alone, also = data.batch([place], own)
            torch.testing.assert_close(alone, x[i : i + 1], rtol=0, atol=1e-6)
            assert all(torch.equal(also[name], known[name][i : i + 1]) for name in known)


def test_what_was_fetched_is_the_caller_s_to_change(data):
    x, _ = data.batch(rows(data))
    before = x.clone()
    x.fill_(9)
    assert torch.equal(data.batch(rows(data))[0], before)


def test_an_index_beyond_the_end_is_refused(data):
    for place in (len(data), -1):
        with pytest.raises(IndexError):
            data.batch([place])


def test_it_says_what_it_is_by_its_contents(data, tmp_path):
    again = IMPLEMENTATIONS[type(data)](tmp_path)
    assert isinstance(data.fingerprint, str)
    assert data.fingerprint == again.fingerprint
