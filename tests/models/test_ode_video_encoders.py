"""What known frames tell: in which order they are read, which may be missing, and when they were taken."""

import math

import pytest
import torch
from path_models import clips, model

from unveil.networks.latent_dynamics import LatentDynamics


@pytest.mark.parametrize("cell", ["gru", "rnn"])
@pytest.mark.parametrize("anchor", ["first", "last"])
def test_frames_are_read_towards_the_anchor(cell, anchor):
    m = model(recurrent={"anchor": anchor, "cell": cell})
    x, e = clips(2, 5), m.encoder
    h = torch.zeros(2, 10)
    order = range(5) if anchor == "last" else reversed(range(5))
    for place, i in enumerate(order):
        told = torch.cat([e.frames(x[:, i]), torch.full((2, 1), float(place > 0))], 1)
        h = e.cell(told, h)
    mean, log_var = e.head(h).chunk(2, 1)
    found = m.encode(x)
    torch.testing.assert_close(found.mean, mean)
    torch.testing.assert_close(found.log_var, log_var)
    assert found.start.tolist() == [4.0 if anchor == "last" else 0.0] * 2
    assert (m.encode(x.flip(1)).mean - found.mean).abs().max() > 1e-3


def test_a_missing_frame_may_hold_anything():
    m, x = model(), clips(2, 5)
    mask = torch.tensor([[1, 1, 0, 1, 1], [1, 0, 0, 1, 1]]).bool()
    other = torch.where(mask[..., None, None, None], x, torch.full_like(x, math.nan))
    for a, b in zip(m.encode(x, mask=mask)[:2], m.encode(other, mask=mask)[:2], strict=True):
        assert torch.equal(a, b)
    # A frame that is missing and one that was never taken are the same.
    left = m.encode(x[:1, [0, 1, 3, 4]], [0, 1, 3, 4])
    torch.testing.assert_close(m.encode(x[:1], mask=mask[:1]).mean, left.mean)
    assert (m.encode(x[:1]).mean - left.mean).abs().max() > 1e-4


def test_even_times_are_what_no_times_are():
    for between in (None, LatentDynamics(10, hidden=(8,))):
        m, x = model(recurrent={"between": between}), clips(2, 5)
        even = torch.arange(5).double().expand(2, -1)
        assert torch.equal(m.encode(x).mean, m.encode(x, even).mean)
        query = torch.tensor([4.5, 6.0])
        own = torch.stack([query, query + 1e-9])  # no longer shared
        torch.testing.assert_close(
            m.frames_at(x, query, mean=True), m.frames_at(x, own, mean=True), rtol=1e-4, atol=1e-4
        )
        torch.testing.assert_close(m.encode(x, even + 3).mean, m.encode(x).mean)
    uneven = torch.tensor([0, 1, 2.5, 3, 7]).double()
    assert (m.encode(x, uneven).mean - m.encode(x).mean).abs().max() > 1e-4


def test_what_happens_does_not_depend_on_when():
    m, x = model(), clips(2, 5)
    early = m.frames_at(x, [6.0, 7.5], mean=True)
    late = m.frames_at(x, [106.0, 107.5], times=list(range(100, 105)), mean=True)
    torch.testing.assert_close(early, late)
