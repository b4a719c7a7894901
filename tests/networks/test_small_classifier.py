"""The small classifier learns real digits, and takes images of any size."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

from unveil.core.errors import ConfigError, ShapeError
from unveil.networks.classifier import Classifier


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 48), (64, 64), (4, 5)])
def test_images_of_any_size_have_features_and_logits(size):
    network = Classifier(3, 7, channels=8, features=20)
    x = torch.randn(2, 3, *size)
    assert network.num_features == 20
    assert network.features(x).shape == (2, 20)
    assert network(x).shape == (2, 7)
    torch.testing.assert_close(network.classify(network.features(x)), network(x))


def test_it_learns_digits():
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images).float().view(-1, 1, 8, 8) / 8 - 1
    y = torch.tensor(labels)
    network = Classifier(1, 10)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(60):
        rows = torch.randint(1400, (128,))
        loss = F.cross_entropy(network(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        right = (network(x[1400:]).argmax(1) == y[1400:]).float().mean()
    assert right > 0.9  # another 397 digits, by other hands


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="two classes"):
        Classifier(1, 1)
    network = Classifier(1, 3)
    with pytest.raises(ShapeError, match=r"\(B, 1, H, W\)"):
        network(torch.randn(2, 3, 8, 8))
    with pytest.raises(ShapeError, match="at least 4"):
        network(torch.randn(2, 1, 8, 3))
