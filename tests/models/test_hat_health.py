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


@pytest.mark.parametrize(("options", "told"), [
    ({"drift": lambda step: 0.1 if step < 150 else 0.95}, 0), ({"drift": lambda step: 0.1 if step < 150 else 1.05}, 1),
    ({"shortened": 0.09}, 0), ({"shortened": 0.11}, 1), ({"beyond": 0.09}, 0), ({"beyond": 0.11}, 1),
    ({"gaps": [2.6 + gap for gap in healthy()]}, 0), ({"gaps": [3.6 + gap for gap in healthy()]}, 1),
    ({"gaps": [4.0 + gap for gap in healthy(2 * MEMORY - 2)]}, 0), ({"gaps": [-4.0 + gap for gap in healthy()]}, 1),
])  # fmt: skip
def test_trouble_has_a_size_and_lasts(options, told):
    assert len(judged(Health(), **{"gaps": healthy(), **options})) == told


def test_a_bank_that_loses_its_variety_is_told():
    health = Health()
    health.judge(0.0, 0.1, 0.0, 0.0, spread=0.5)
    with pytest.warns(UserWarning, match="half of their variety"):
        health.judge(0.0, 0.1, 0.0, 0.0, spread=0.2)


def test_a_bank_that_keeps_more_than_half_is_left_in_peace_and_so_is_a_gap_of_less_than_a_hundred_times():
    health = Health()
    with warnings.catch_warnings(action="error"):
        for spread in (0.5, 0.26):
            health.judge(0.0, 0.1, 0.0, 0.0, spread=spread)
    health = Health()
    judged(health, healthy(MEMORY))
    usual = float(health.gaps.std())
    health.judge(-90 * usual, 0.1, 0.0, 0.0)
    health.begin()
    judged(health, healthy(MEMORY))
    with pytest.raises(DivergenceError):
        health.judge(-110 * usual, 0.1, 0.0, 0.0)


@pytest.mark.parametrize("gap", [math.nan, 1e4])
def test_a_training_that_runs_away_is_ended(gap):
    health = Health()
    judged(health, healthy(MEMORY))
    with pytest.raises(DivergenceError, match=r"Training diverged.*in step 7.*newest checkpoint"):
        health.judge(gap, 0.1, 0.0, 0.0, where=" in step 7")
