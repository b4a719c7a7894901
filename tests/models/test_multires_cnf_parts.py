"""Flows that were trained apart, put together."""

import pytest
import torch
from flow_models import EXACT, pixels, small, trained
from torch import nn

from unveil.core.errors import ConfigError
from unveil.models.multires_cnf import (
    Levels,
    attach_finer,
    joined,
)


def test_a_finer_resolution_goes_on_top():
    stack, finer = trained(resolutions=2, side=8), trained(resolutions=2, side=16, seed=5)
    both = attach_finer(stack, finer)
    x = pixels(3, 16)
    whole, _, _ = both.terms(x, trace="exact", solver=EXACT)
    details, _, _ = finer.terms(x, trace="exact", solver=EXACT)
    rest, _, _ = stack.terms(nn.functional.avg_pool2d(x, 2), trace="exact", solver=EXACT)
    torch.testing.assert_close(whole, torch.cat([details[:1], rest]))
    assert both.sample(2).shape == (2, 1, 16, 16)


def test_resolutions_trained_apart_are_joined():
    parts = {s: trained(resolutions=2, seed=s) for s in (1, 2)}
    model = joined(parts)
    x = pixels(3)
    found, _, _ = model.terms(x, trace="exact", solver=EXACT)
    for s, part in parts.items():
        torch.testing.assert_close(found[s - 1], part.terms(x, trace="exact", solver=EXACT)[0][s - 1])


@pytest.mark.parametrize(
    ("stack", "finer", "said"),
    [
        ({"side": 8}, {"side": 8}, "for 16 x 16; this one has 2 for 8 x 8"),
        ({"side": 8}, {"side": 16, "transform": "haar"}, "different ways"),
        ({"side": 8, "logit": "finest"}, {"side": 16, "logit": "finest"}, "no mean of logits"),
        ({"side": 8}, {"side": 16, "levels": Levels(256, 5)}, "different ways"),
        ({"side": 8, "transform": "orthonormal"}, {"side": 16, "transform": "orthonormal"}, "doubles"),
    ],
)
def test_models_that_do_not_fit_are_not_put_together(stack, finer, said):
    with pytest.raises(ConfigError, match=said):
        attach_finer(trained(**stack), trained(**finer))


def test_what_was_never_trained_is_not_put_together():
    with pytest.raises(ConfigError, match="never trained"):
        attach_finer(trained(side=8), small(side=16))
    with pytest.raises(ConfigError, match="model for each resolution"):
        joined({1: trained()})
