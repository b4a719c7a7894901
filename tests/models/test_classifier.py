import math

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from unveil.core.errors import DataError
from unveil.core.protocols import Batch
from unveil.models.classifier import FeatureClassifier
from unveil.networks.classifier import Classifier


class TinyNet(nn.Module):
    num_features = 16

    def __init__(self, classes=3):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.ReLU())
        self.head = nn.Linear(16, classes)

    def features(self, x):
        return self.body(x)

    def forward(self, x):
        return self.head(self.features(x))


def stripes(n, seed=0):
    """Three kinds of 4x4 images that differ in which row is bright."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(3, (n,), generator=generator)
    x = 0.3 * torch.randn(n, 1, 4, 4, generator=generator)
    x[torch.arange(n), 0, label] += 1
    return x.clamp(-1, 1), label


def train(model, steps):
    (stage,) = model.stages(steps)
    optimizer = torch.optim.Adam(stage.players["model"].parameters(), lr=1e-2)
    logs = []
    for step in range(stage.steps):
        x, label = stripes(64, step)
        for move in stage.moves(Batch(x, {"label": label}, step=step)):
            move.loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            logs.append((move.loss.item(), move.logs["accuracy"].item()))
    return logs


def test_the_loss_is_that_of_the_labels_and_of_a_blind_guess_at_first():
    net = TinyNet()
    nn.init.zeros_(net.head.weight)
    nn.init.zeros_(net.head.bias)
    x, label = stripes(32)
    (move,) = FeatureClassifier(net).moves(Batch(x, {"label": label}))
    assert move.player == "model"
    assert move.loss.item() == pytest.approx(math.log(3), rel=1e-6)
    assert move.logs["accuracy"].item() == pytest.approx((label == 0).float().mean().item())


def test_it_learns_what_tells_the_classes_apart():
    torch.manual_seed(0)
    model = FeatureClassifier(TinyNet())
    logs = train(model, 80)
    assert logs[-1][0] < 0.2 * logs[0][0]
    x, label = stripes(500, seed=999)
    assert (model(x).argmax(1) == label).float().mean() > 0.97


def test_the_features_are_what_the_scores_are_made_of():
    model = FeatureClassifier(TinyNet())
    x, _ = stripes(5)
    torch.testing.assert_close(model.net.head(model.features(x)), model(x))
    assert model.features(x).shape == (5, model.num_features)


def test_steps_may_be_given_by_the_name_of_the_stage():
    (stage,) = FeatureClassifier(TinyNet()).stages({"train": 7})
    assert (stage.name, stage.steps) == ("train", 7)


def test_data_without_labels_is_refused():
    with pytest.raises(DataError, match="labels"):
        next(FeatureClassifier(TinyNet()).moves(Batch(torch.zeros(2, 1, 4, 4))))


def test_the_networks_own_classifier_reads_handwritten_digits():
    digits = load_digits()
    x, label = torch.tensor(digits.images).float()[:, None] / 8 - 1, torch.tensor(digits.target)
    torch.manual_seed(0)
    model = FeatureClassifier(Classifier(1, 10, channels=16, features=16))
    order = torch.randperm(len(x))
    seen, held_out = order[:1500], order[1500:]
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    (stage,) = model.stages(100)
    for step in range(stage.steps):
        rows = seen[torch.randint(len(seen), (64,))]
        for move in stage.moves(Batch(x[rows], {"label": label[rows]}, step=step)):
            move.loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        assert (model(x[held_out]).argmax(1) == label[held_out]).float().mean() > 0.95
        assert model.features(x[:3]).shape == (3, model.num_features) == (3, 16)
