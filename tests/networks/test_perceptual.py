import pytest
import torch
import torch.nn.functional as F

from unveil.core.errors import DataError, ShapeError
from unveil.metrics import Trial, measure_clips
from unveil.networks.perceptual import PerceptualDistance, load_lpips

WIDTHS = (64, 192, 384, 256, 256)
SIDES = (11, 5, 3, 3, 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Random weights in the form of the published files."""
    place, generator = tmp_path_factory.mktemp("lpips"), torch.Generator().manual_seed(0)
    features, linear, inputs = {"classifier.1.weight": torch.zeros(2, 2)}, {}, 3
    for number, (layer, width, side) in enumerate(zip((0, 3, 6, 8, 10), WIDTHS, SIDES, strict=True)):
        features[f"features.{layer}.weight"] = (
            torch.randn(width, inputs, side, side, generator=generator) / side / inputs**0.5
        )
        features[f"features.{layer}.bias"] = 0.1 * torch.randn(width, generator=generator)
        linear[f"lin{number}.model.1.weight"] = torch.rand(1, width, 1, 1, generator=generator)
        inputs = width
    torch.save(features, place / "alexnet.pth")
    torch.save(linear, place / "alex.pth")
    return place, features, linear


def reference(features, linear, x, y):
    """The definition, written down once more with plain functions."""

    def layers(z):
        z = (z - torch.tensor([-0.030, -0.088, -0.188])[:, None, None]) / torch.tensor([0.458, 0.448, 0.450])[
            :, None, None
        ]
        steps = [(0, 4, 2, False), (3, 1, 2, True), (6, 1, 1, True), (8, 1, 1, False), (10, 1, 1, False)]
        for layer, stride, padding, pooled in steps:
            z = F.max_pool2d(z, 3, 2) if pooled else z
            z = F.conv2d(
                z, features[f"features.{layer}.weight"], features[f"features.{layer}.bias"], stride, padding
            ).relu()
            yield z

    total = 0
    for number, (a, b) in enumerate(zip(layers(x), layers(y), strict=True)):
        a, b = (z / (z.norm(dim=1, keepdim=True) + 1e-10) for z in (a, b))
        total = total + F.conv2d((a - b) ** 2, linear[f"lin{number}.model.1.weight"]).mean((1, 2, 3))
    return total


def test_it_is_the_published_formula(files):
    place, features, linear = files
    network = load_lpips(place / "alexnet.pth", place / "alex.pth")
    x, y = torch.rand(2, 3, 3, 64, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.testing.assert_close(network(x, y), reference(features, linear, x, y))
    assert network(x, x).abs().max() == 0
    torch.testing.assert_close(network(x, y), network(y, x))
    grey = x[:, :1]
    torch.testing.assert_close(network(grey, y[:, :1]), network(grey.repeat(1, 3, 1, 1), y[:, :1].repeat(1, 3, 1, 1)))
    assert sum(p.numel() for p in network.convolutions.parameters()) == 2_469_696  # AlexNet's convolutions


def test_clips_are_measured_with_it(files):
    place, *_ = files
    network = load_lpips(place / "alexnet.pth", place / "alex.pth")
    truth = torch.rand(2, 3, 1, 32, 32, generator=torch.Generator().manual_seed(2)) * 2 - 1
    made = torch.stack([truth, -truth], 1)
    found = measure_clips(made, truth, Trial("predict", 1, 3, 3, 2), split="test", lpips=network)
    assert found["lpips"].value == 0
    worse = measure_clips(made[:, 1:], truth, Trial("predict", 1, 3, 3, 1), split="test", lpips=network)
    assert worse["lpips"].value > 0.01
    assert "AlexNet" in str(worse["lpips"])


def test_other_files_are_told(files, tmp_path):
    place, *_ = files
    with pytest.raises(DataError, match="cannot be read: No such file"):
        load_lpips(tmp_path / "gone.pth", place / "alex.pth")
    with pytest.raises(DataError, match=r"holds nothing as lin0\.model\.1\.weight"):
        load_lpips(place / "alexnet.pth", place / "alexnet.pth")
    (tmp_path / "a.pth").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="damaged or holds more than weights"):
        load_lpips(tmp_path / "a.pth", place / "alex.pth")


def test_pictures_that_cannot_be_compared():
    network = PerceptualDistance()
    with pytest.raises(ShapeError, match="at least 32 pixels"):
        network(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16))
    with pytest.raises(ShapeError, match="of one shape"):
        network(torch.zeros(1, 3, 32, 32), torch.zeros(2, 3, 32, 32))
