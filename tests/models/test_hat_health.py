"""The watch on the training of Hat Diffusion EBMs."""

import math
import warnings

import pytest
import torch

from unveil.core.errors import DivergenceError
from unveil.models.hat_ebm import Health
from unveil.models.hat_ebm.health import MEMORY


def judged(health, gaps, drift=0.1, **others):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step, gap in enumerate(gaps):
            health.judge(
                gap, drift(step) if callable(drift) else drift, others.get("shortened", 0.0), others.get("beyond", 0.0)
            )
    return [str(warning.message) for warning in caught]


def healthy(steps=3 * MEMORY):
    return torch.randn(steps, generator=torch.Generator().manual_seed(0)).tolist()


def test_a_healthy_training_is_left_in_peace():
    assert judged(Health(), healthy()) == []


@pytest.mark.parametrize(("options", "said"), [
    ({"gaps": [4 + gap / 2 for gap in healthy()]}, "stay apart"),
    ({"drift": lambda step: 0.1 if step < 150 else 5.0}, "drift has grown to 5"),
    ({"shortened": 0.2}, "tenth of the drifts are shortened"),
    ({"beyond": 0.3}, "30% of the samples' pixels"),
])  # fmt: skip
def test_trouble_is_told_once(options, said):
    told = judged(Health(), **{"gaps": healthy(), **options})
    assert len(told) == 1
    assert said in told[0]
    assert "ten times lower" in told[0]


def test_a_bank_that_loses_its_variety_is_told():
    health = Health()
    health.judge(0.0, 0.1, 0.0, 0.0, spread=0.5)
    with pytest.warns(UserWarning, match="half of their variety"):
        health.judge(0.0, 0.1, 0.0, 0.0, spread=0.2)


@pytest.mark.parametrize("gap", [math.nan, 1e4])
def test_a_training_that_runs_away_is_ended(gap):
    health = Health()
    judged(health, healthy(MEMORY))
    with pytest.raises(DivergenceError, match=r"Training diverged.*in step 7.*newest checkpoint"):
        health.judge(gap, 0.1, 0.0, 0.0, where=" in step 7")
