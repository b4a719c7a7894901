import numpy as np
import pytest
import torch

from unveil.core.errors import ConfigError, ShapeError
from unveil.data import save_images
from unveil.tasks.measurements import KERNELS, before, build, parse


@pytest.mark.parametrize(
    ("text", "kinds", "noise", "factor"),
    [
        ("downsample:4", ["downsample"], 0, 4),
        ("grayscale", ["grayscale"], 0, 1),
        ("grayscale:luma,noise:0.1", ["grayscale"], 0.1, 1),
        ("mask:0.7", ["mask"], 0, 1),
        ("noise:25/255", [], 25 / 255, 1),
        (
            "blur:gaussian:1.6 , downsample:2, downsample:3, noise:5/255",
            ["blur", "downsample", "downsample"],
            5 / 255,
            6,
        ),
        ("blur:motion:9:-30", ["blur"], 0, 1),
        ("sensing:1/4", ["sensing"], 0, 1),
    ],
)
def test_what_can_be_read(text, kinds, noise, factor):
    measurement = parse(text)
    assert [part.kind for part in measurement.parts] == kinds
    assert measurement.noise == noise
    assert measurement.sigma == 2 * noise  # for images in [-1, 1]
    assert measurement.factor == factor


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty operator"),
        ("downsample", "cannot be read"),
        ("downsample:1", "2 or more"),
        ("downsample:2.5", "whole number"),
        ("downsmaple:2", "did you mean downsample"),
        ("noise:0.1,grayscale", "noise comes last"),
        ("noise:-1", "0 to 1"),
        ("noise:25", "noise:25/255"),
        ("noise:1/0", "cannot be read"),
        ("noise:nan", "cannot be read"),
        ("mask:nowhere.png", "no file 'nowhere.png'"),
        ("mask:1.5", "between 0 and 1"),
        ("blur:gaussian", "cannot be read"),
        ("blur:gaussian:0", "above 0"),
        ("blur:box:2.5", "above 0"),
        ("grayscale:3", "grayscale:luma"),
        ("sensing:2", "between 0 and 1"),
    ],
)
def test_what_cannot(text, says):
    with pytest.raises(ConfigError, match=says):
        parse(text)


def test_the_sentence_shows_the_grammar():
    with pytest.raises(ConfigError, match="blur:gaussian:SIGMA"):
        parse("sharpen:2")


def test_the_shape_before():
    assert before(parse("downsample:4,noise:0.1"), (3, 5, 7)) == (3, 20, 28)
    assert before(parse("grayscale,downsample:2"), (1, 5, 7)) == (3, 10, 14)
    with pytest.raises(ShapeError, match="--degrade"):
        before(parse("grayscale"), (3, 5, 7))


def test_operators_follow_one_another_in_the_order_written():
    x = torch.rand(1, 3, 8, 12, dtype=torch.float64)
    a = build(parse("grayscale,downsample:2"), (3, 8, 12), canvas=(3, 8, 12))
    torch.testing.assert_close(a.forward(x), torch.nn.functional.avg_pool2d(x.mean(1, keepdim=True), 2))
    torch.testing.assert_close(build(parse("noise:0.1"), (3, 8, 12), canvas=(3, 8, 12)).forward(x), x)
    for name, wants in KERNELS.items():
        blur = build(parse(f"blur:{name}:3" + ":45" * wants.count(":")), (3, 8, 12), canvas=(3, 32, 40))
        flat = torch.ones(1, 3, 32, 40, dtype=torch.float64)
        torch.testing.assert_close(blur.forward(flat), flat)


def test_sensing_takes_planes_of_any_size():
    for size in ((8, 8), (9, 14)):
        a = build(parse("sensing:0.5"), (1, *size), canvas=(1, *size))
        assert a.forward(torch.rand(1, 1, *size)).shape == (1, 1, size[0] * size[1] // 2)


def test_masks_white_is_missing(tmp_path):
    hole = torch.full((1, 1, 6, 9), -1.0)
    hole[..., 2:4, 3:5] = 1
    save_images(hole, tmp_path / "hole.png")
    measurement = parse(f"mask:{tmp_path / 'hole.png'}")
    kept = build(measurement, (3, 6, 9), canvas=(3, 8, 10)).forward(torch.ones(1, 3, 8, 10))
    assert torch.equal(kept[..., :6, :9] == 0, (hole > 0).expand(1, 3, 6, 9))
    assert bool((kept[..., 6:, :] == 1).all())
    with pytest.raises(ShapeError, match=r"9 x 6 pixels and the picture 9 x 7"):
        build(measurement, (3, 7, 9), canvas=(3, 7, 9))
    save_images(torch.full((1, 1, 6, 9), -1.0), tmp_path / "none.png")
    with pytest.raises(ConfigError, match="paint white"):
        build(parse(f"mask:{tmp_path / 'none.png'}"), (3, 6, 9), canvas=(3, 6, 9))


def test_random_masks_follow_the_seed():
    a, b, c = (
        build(parse("mask:0.3"), (1, 40, 50), canvas=(1, 40, 50), seed=seed).forward(torch.ones(1, 1, 40, 50))
        for seed in (0, 0, 1)
    )
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert abs(float(a.mean()) - 0.7) < 0.05


def test_kernels_from_files_are_scaled_to_sum_1(tmp_path):
    np.save(tmp_path / "k.npy", np.array([[0.0, 2, 0], [1, 3, 1], [0, 1, 0]]))
    a = build(parse(f"blur:{tmp_path / 'k.npy'}"), (1, 8, 8), canvas=(1, 8, 8))
    torch.testing.assert_close(a.forward(torch.ones(1, 1, 8, 8)), torch.ones(1, 1, 8, 8))
    np.save(tmp_path / "bad.npy", np.zeros((3, 3)))
    with pytest.raises(ConfigError, match="sum is above 0"):
        build(parse(f"blur:{tmp_path / 'bad.npy'}"), (1, 8, 8), canvas=(1, 8, 8))
    np.save(tmp_path / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        build(parse(f"blur:{tmp_path / 'objects.npy'}"), (1, 8, 8), canvas=(1, 8, 8))
