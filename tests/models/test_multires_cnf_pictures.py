"""There and back, samples, and small pictures made large."""

from itertools import pairwise

import pytest
import torch
from flow_models import EXACT, levels_of, pixels, small
from torch import nn

from unveil.core.protocols import Batch
from unveil.core.random import Streams
from unveil.ode import Solver


@pytest.mark.parametrize("options", [{}, {"logit": "finest"}, {"logit": "none"}, {"transform": "haar", "blocks": 2}])
@pytest.mark.parametrize(
    ("solver", "bound"), [(Solver(), 1e-3), (Solver("rk4", steps=20), 1e-5), (Solver("rk4", steps=4), 1e-2)]
)
def test_images_survive_the_way_to_noise_and_back(options, solver, bound):
    model, x = small(3, **options), pixels()
    torch.testing.assert_close(model.decode(model.encode(x, solver=solver), solver=solver), x, rtol=0, atol=bound)


def test_noise_of_all_resolutions_is_one_image_of_white_noise():
    model = small(3, 16)
    white = torch.randn(4000, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    parts = model.pyramid.split_noise(white)
    c0 = 2 ** (2 / 3)
    for part, variance in zip(parts, (c0, c0 / 4, 1 / 16), strict=True):
        assert float(part.var()) == pytest.approx(variance, rel=0.03)
    for place, part in enumerate(parts, start=1):
        assert model.pyramid.spread(place) == pytest.approx(float(part.std()), rel=0.02)
    torch.testing.assert_close(model.pyramid.merge_noise(parts), white)


def test_the_scale_of_noise_changes_neither_likelihood_nor_gradient():
    x, found = levels_of(), []
    for noise in ("multi-resolution", "unit"):
        model = small(noise=noise)
        (move,) = model.moves(Batch(x, generator=Streams(0, 4), step=1), [1])
        move.loss.backward()
        gradient = torch.cat([value.grad.flatten() for value in model.flow(1).parameters()])
        found.append((model.log_likelihood(pixels()).nats, gradient, model.encode(pixels())))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    spread = small().pyramid.spread(1)
    torch.testing.assert_close(found[0][2][0], spread * found[1][2][0])


@pytest.mark.parametrize("place", ["coarsest", "none"])
def test_every_picture_of_a_sample_is_the_average_of_the_finer_one(place):
    pictures = small(3, 16, logit=place, standardise=False).sample(3, exact=True, path=True, generator=Streams(0, 3))
    for fine, coarse in pairwise(pictures):
        torch.testing.assert_close(nn.functional.avg_pool2d(fine, 2), coarse, rtol=0, atol=1e-9)


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("options", [{}, {"logit": "finest"}, {"logit": "finest", "transform": "orthonormal"}])
def test_enlarged_pictures_average_to_what_was_given(factor, options):
    model = small(4, 16, **options)
    low = levels_of(2, 16 // factor)
    large = model.super_resolve(low, factor, generator=Streams(0, 2), exact=True)
    assert large.shape == (2, 1, 16, 16)
    back = nn.functional.avg_pool2d(large, factor)
    assert float((back - low).abs().max()) < 1 / 128  # half a level and the noise within it
    again = model.super_resolve(low, factor, generator=Streams(0, 2), exact=True)
    assert torch.equal(large, again)
    other = model.super_resolve(low, factor, generator=Streams(1, 2), exact=True)
    assert float((large - other).abs().max()) > 0.01


def test_small_pictures_of_any_size_are_enlarged():
    assert small(3, 16).super_resolve(levels_of(1, 10), 2, generator=Streams(0, 1)).shape == (1, 1, 20, 20)
    assert small(3, 16).super_resolve(levels_of(1, 4), 2, generator=Streams(0, 1)).shape == (1, 1, 8, 8)


def test_samples_are_named_by_their_streams():
    model = small()
    together = model.sample(5, generator=Streams(3, 5), exact=True)
    alone = torch.cat([model.sample(1, generator=Streams(3, [i]), exact=True) for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    whole = model.sample(5, generator=Streams(3, 5))
    torch.testing.assert_close(whole, together.clamp(-1, 1), rtol=0, atol=1.01 / 128)
    assert bool(((whole + 1) * 127.5 - ((whole + 1) * 127.5).round()).abs().max() < 1e-6)
    assert model.sample(0).shape == (0, 1, 8, 8)


def test_without_heat_all_samples_are_one():
    cold = small().sample(3, temperature=0.0, generator=Streams(0, 3), exact=True)
    assert torch.equal(cold[0], cold[2])
    warm, half = (small().sample(50, temperature=t, generator=Streams(0, 50), exact=True) for t in (1.0, 0.5))
    assert float(half.var()) < float(warm.var())
    small().sample(2, temperature=(1.0, 0.5))


def test_details_are_drawn_anew_above_what_stays():
    model, x = small(3, 16), pixels(2, 16)
    new = model.redraw(x, 1, generator=Streams(0, 2), solver=EXACT)
    torch.testing.assert_close(nn.functional.avg_pool2d(new, 2), nn.functional.avg_pool2d(x, 2), rtol=0, atol=1e-6)
    assert float((new - x).abs().max()) > 0.01
    torch.testing.assert_close(model.redraw(x, 0, solver=EXACT), x, rtol=0, atol=1e-6)
