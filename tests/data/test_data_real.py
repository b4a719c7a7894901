"""The published facts of real data sets, found again in what we read."""

import numpy as np
import pytest
import torch

from unveil.core.random import Streams
from unveil.data import load_image, open_images


@pytest.mark.parametrize(("name", "mean"), [("mnist", 0.1307), ("fashion-mnist", 0.2860)])
def test_the_families_of_mnist(real, name, mean):
    train, test = (open_images(real(name), split=split) for split in ("train", "test"))
    assert (len(train), len(test), train.shape, train.classes) == (60_000, 10_000, (1, 28, 28), 10)
    total = sum(float(train.batch(range(i, i + 10_000))[0].double().sum()) for i in range(0, 60_000, 10_000))
    assert abs((total / (60_000 * 784) + 1) / 2 - mean) < 1e-4
    assert test.classes == 10
    if name == "fashion-mnist":
        assert torch.bincount(train.labels).tolist() == [6000] * 10


def test_a_fifth_of_cifar10(real):
    train, test = (open_images(real("cifar10-20k.npz"), split=split) for split in ("train", "test"))
    assert (len(train), len(test), train.shape, train.classes) == (20_000, 2_000, (3, 32, 32), 10)
    assert torch.bincount(train.labels).tolist() == [2000] * 10
    mean = (train.batch(range(0, 20_000, 4))[0].mean((0, 2, 3)) + 1) / 2
    torch.testing.assert_close(mean, torch.tensor([0.4914, 0.4822, 0.4465]), rtol=0, atol=0.01)
    with np.load(real("cifar10-20k.npz")) as file:
        picture = file["test_images"][1234]
    x = test.batch([1234])[0][0]
    np.testing.assert_array_equal(((x + 1) * 127.5).round().permute(1, 2, 0).numpy(), picture)


def test_photographs_of_two_proportions(real):
    data = open_images(real("kodak"), size=32, split="all")
    assert (len(data), data.shape, data.skipped) == (24, (3, 32, 32), [])
    crops = open_images(real("kodak"), size=64, crop="random", resize=False, split="all")
    index = list(range(48))
    assert crops.batch(index, Streams(0, index))[0].shape == (48, 3, 64, 64)


def test_one_photograph(real):
    path = real("single-image/natural/stone.png")
    data = open_images(path)
    assert (len(data), data.shape, data.name) == (1, (3, 168, 250), "stone")
    torch.testing.assert_close(data.batch([0])[0][0], load_image(path), rtol=0, atol=0)
    mask = load_image(real("single-image/editing/stone_edit_mask.png"))
    assert mask.shape == (1, 168, 250)
    assert set(mask.unique().tolist()) == {-1.0, 1.0}
