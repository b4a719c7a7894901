from itertools import pairwise

import pytest
import torch

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.random import Streams, randn_like
from unveil.covariance import free_field
from unveil.inverse import DenoiserPrior, Windows, blended, ddrm, half_quadratic, posterior_sampling
from unveil.operators import Identity
from unveil.schedules import LinearVP


class Smoothing:
    """A prior that looks three pixels far: what it says inside a window does not depend on the window."""

    sigmas = (0.1, 0.2)

    def degrade(self, x, level, generator=None, *, scale=1.0):
        return x + scale * self.sigmas[level - 1] * randn_like(x, generator)

    def restore(self, y, level, generator=None):
        return torch.nn.functional.avg_pool2d(y, 7, 1, 3, count_include_pad=False)


class Constant:
    """A prior with a latent: it answers with one random number for each picture."""

    sigmas = (0.1,)

    def degrade(self, x, level, generator=None, *, scale=1.0):
        return x

    def restore(self, y, level, generator=None):
        return generator.randn((len(y), 1)).to(y)[:, :, None, None].expand_as(y)


@pytest.mark.parametrize("size", [(40, 40), (16, 61), (57, 23), (16, 16)])
def test_windows_of_a_local_prior_are_the_prior_itself(size):
    y = torch.randn(2, 3, *size, dtype=torch.float64)
    flat = Windows(Smoothing(), (16, 16), overlap=8)
    inside = (..., slice(3, size[0] - 3), slice(3, size[1] - 3))
    whole = Smoothing().restore(y, 1)
    # The averages of one window are cut at its border, where the weights fall to nothing; away from both they agree.
    assert (flat.restore(y, 1) - whole)[inside].abs().mean() < 0.05 * whole.abs().mean() + 0.02
    constant = torch.full_like(y, 0.3)
    torch.testing.assert_close(flat.restore(constant, 1), constant)


def test_there_is_no_seam():
    """A ramp through a prior that leaves it alone stays a ramp: neither jumps nor bends where windows meet."""
    ramp = torch.linspace(-1, 1, 64, dtype=torch.float64).expand(1, 1, 48, 64).clone()

    class Leave(Smoothing):
        def restore(self, y, level, generator=None):
            return y

    torch.testing.assert_close(Windows(Leave(), (16, 16), overlap=5, batch=3).restore(ramp, 1), ramp)


def test_small_pictures_are_mirrored_up_to_a_window():
    y = torch.randn(1, 1, 5, 3)
    assert Windows(Smoothing(), (16, 16), overlap=4).restore(y, 1).shape == y.shape


def test_all_windows_of_a_picture_share_their_random_numbers_and_pictures_do_not():
    windows = Windows(Constant(), (8, 8), overlap=2, batch=3)
    streams = Streams(0, 2)
    first = windows.restore(torch.zeros(2, 1, 30, 20), 1, streams)
    assert all(float(x.std()) < 1e-6 for x in first)
    assert float(first[0].mean()) != float(first[1].mean())
    second = windows.restore(torch.zeros(2, 1, 30, 20), 1, streams)
    assert not torch.equal(first, second)  # another restoration, another latent
    alone = windows.restore(torch.zeros(1, 1, 30, 20), 1, Streams(0, [1]))
    torch.testing.assert_close(alone[0], first[1])


def test_a_prior_of_grey_images_takes_each_channel_and_one_of_colour_takes_grey():
    y = torch.randn(2, 3, 20, 20)
    grey = Windows(Smoothing(), (16, 16), overlap=4, channels=1)
    one_by_one = torch.cat([grey.restore(y[:, c : c + 1], 1) for c in range(3)], 1)
    torch.testing.assert_close(grey.restore(y, 1), one_by_one)
    colour = Windows(Smoothing(), (16, 16), overlap=4, channels=3)
    torch.testing.assert_close(colour.restore(y[:, :1], 1), one_by_one[:, :1])
    with pytest.raises(ShapeError, match="2"):
        colour.restore(y[:, :2], 1)


@pytest.mark.parametrize(
    ("side", "overlap", "align"), [(48, 11, 16), (32, 16, 16), (64, 16, 16), (21, 5, 1), (45, 29, 16)]
)
@pytest.mark.parametrize("length", [48, 66, 100, 161, 304])
def test_neighbours_share_what_was_asked(side, overlap, align, length):
    places = torch.arange(float(length)).expand(1, 1, 50, -1)  # every pixel knows its column
    starts = []

    def ask(cut, count):
        starts.extend(window[0, 0, 0].item() for window in cut)
        return cut

    torch.testing.assert_close(blended(ask, places, (side, side), overlap=overlap, align=align), places)
    starts = sorted(set(starts))
    assert starts[0] == 0
    assert length <= starts[-1] + side < length + max(align, side - length + 1)
    assert all(start % align == 0 for start in starts)
    assert all(second - first <= side - overlap for first, second in pairwise(starts))


def test_an_overlap_that_leaves_nothing_is_refused():
    with pytest.raises(ConfigError, match="overlap by 16"):
        Windows(Smoothing(), (16, 16), overlap=16)


# --- noise that is not white, on pictures larger than a window ---------------------------------------------------------


def of_smooth_noise(side=8):
    """A prior that has seen smooth noise on windows, whose images are spread like it."""
    schedule, cov = LinearVP(), free_field(side, side)

    def denoise(x_t, t):
        alpha, sigma = (float(c) for c in schedule(t))
        return 0.3 * alpha / (0.3 * alpha**2 + sigma**2) * x_t

    return DenoiserPrior(denoise, schedule, cov=cov)


def test_larger_pictures_are_hidden_by_the_noise_that_a_window_knows():
    prior = of_smooth_noise()
    windows = Windows(prior, (8, 8), overlap=4)
    x = torch.zeros(4000, 1, 24, 20)
    seen = windows.degrade(x, 50, Streams(0, 4000))[..., 5:13, 7:15] / windows.sigmas[49]
    own = prior.degrade(x[..., :8, :8], 50, Streams(1, 4000)) / windows.sigmas[49]
    for step in (1, 2, 3):
        beside = [float((n[..., step:] * n[..., :-step]).mean()) for n in (seen, own)]
        there = float((own * own.roll(step, -1)).mean())
        assert beside[0] == pytest.approx(there, abs=0.08 + 0.04 * step), step
    assert float(seen.square().mean()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("solver", [half_quadratic, ddrm, posterior_sampling])
def test_every_solver_takes_a_prior_of_smooth_noise_on_larger_pictures(solver):
    windows = Windows(of_smooth_noise(), (8, 8), overlap=4)
    y = torch.randn(2, 1, 20, 12)
    x = solver(windows, y, Identity(), sigma_y=0.02, generator=Streams(0, 2))
    assert float((x - y).square().mean().sqrt()) < 0.25
    torch.testing.assert_close(x[1:], solver(windows, y[1:], Identity(), sigma_y=0.02, generator=Streams(0, [1])))


def test_the_colour_of_the_noise_is_known_through_windows():
    prior = of_smooth_noise()
    assert Windows(prior, (8, 8), overlap=4).cov is prior.cov
    y = torch.randn(2, 1, 8, 8)
    alone, within = (
        posterior_sampling(p, y, Identity(), sigma_y=0.5, steps=10, eta=0.0, generator=Streams(0, 2))
        for p in (prior, Windows(prior, (8, 8), overlap=4))
    )
    torch.testing.assert_close(alone, within)
