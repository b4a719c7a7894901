"""How samples are judged here: in the features and by the answers of a classifier that was trained on the same data.

Distances in these features are no FID, and compare with each other only.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

import unveil
from unveil.metrics import FeatureSpace
from unveil.models.classifier import FeatureClassifier
from unveil.recipes import Recipe
from unveil.tasks.feature_space import trained_classifier
from unveil.tasks.report import Quiet

KNOWS, ASKED = 0.8, 1000


@dataclass(frozen=True)
class Eyes:
    """A classifier that knows its data.

    Attributes:
        space: its features, where distances are measured.
        classifier: images -> scores.
        levels: grey levels of the data's pixels, to which samples are rounded before they are seen.
    """

    space: FeatureSpace
    classifier: FeatureClassifier
    levels: int

    @classmethod
    def of(cls, recipe: Recipe) -> "Eyes":
        """The classifier of a recipe's data: the one that is kept for it, or one that is trained now.

        Raises:
            SystemExit: it was never properly trained, so that what it sees would mean nothing.
        """
        run = trained_classifier(recipe, report=Quiet())
        model, spec = run.model.cpu().eval(), recipe.data
        test = unveil.open_images(
            spec.source, size=spec.size, channels=spec.channels, split="test", upsample=spec.upsample
        )
        x, cond = test.batch(range(min(ASKED, len(test))))
        with torch.no_grad():
            right = float((model(x).argmax(1) == cond["label"]).float().mean())
        if right < KNOWS:
            raise SystemExit(
                f"The classifier in {run.path} knows {right:.0%} of test pictures; delete it, to train another."
            )
        return cls(FeatureSpace.of(model, f"{test.name}-classifier"), model, test.levels)

    @torch.no_grad()
    def shares(self, x: Tensor) -> Tensor:
        """What share of images (n, C, H, W) it takes for each class."""
        scores = torch.cat([self.classifier(part) for part in x.split(256)])
        return torch.bincount(scores.argmax(1), minlength=scores.shape[1]).double() / len(x)
