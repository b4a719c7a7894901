"""A classifier of images, trained for the features it learns: the eyes of metrics without a published network."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import DataError
from unveil.core.protocols import Batch, Move, Stage


class FeatureClassifier(nn.Module):
    """Classify labelled images, and keep what the last layer looks at as features.

    A minute or two on labelled data gives a feature network for the Frechet distance, KID, precision and recall, and
    class scores for the Inception score. Numbers measured with it compare models of the same data with each other; they
    are not FID.

    Args:
        net: images (B, C, H, W) in [-1, 1] -> class scores (B, classes), with a method `features` -> (B, F).
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net: Any = net

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (logits) of images, (B, classes)."""
        scores: Tensor = self.net(x)
        return scores

    def features(self, x: Tensor) -> Tensor:
        """What the last layer looks at, (B, F)."""
        features: Tensor = self.net.features(x)
        return features

    @property
    def num_features(self) -> int:
        """F, under the name that torchmetrics asks for."""
        return int(self.net.num_features)

    def stages(self, steps: int | Mapping[str, int]) -> list[Stage]:
        """The only stage, "train"."""
        return [Stage.only({"model": self}, steps, self.moves)]

    def moves(self, batch: Batch) -> Iterator[Move]:
        """One step down the cross entropy; the share of right answers goes to the log.

        Raises:
            DataError: the data has no labels.
        """
        if "label" not in batch.cond:
            raise DataError("A classifier learns from labels, and this data has none; give labelled data, like digits.")
        label = batch.cond["label"]
        scores = self(batch.x)
        with torch.no_grad():
            accuracy = (scores.argmax(1) == label).float().mean()
        yield Move("model", F.cross_entropy(scores, label), {"accuracy": accuracy})
