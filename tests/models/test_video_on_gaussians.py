"""Videos whose every pixel is an autoregressive process of its own: what each task should draw is known exactly."""

from functools import cache

import pytest
import torch
from torch import nn

from unveil.core.random import Streams
from unveil.models.video_diffusion import Layout, VideoDiffusion
from unveil.schedules import Discrete

A, SHAPE = 0.9, (1, 100, 200)  # 20,000 processes in one video
LINEAR = Discrete.linear()


def process(n, spacing=1):
    """The covariance of n values, so many steps apart."""
    i = torch.arange(n, dtype=torch.float64)
    return A ** (spacing * (i[:, None] - i).abs())


class Exact(nn.Module):
    """The best estimate of a block, given the frames around it that are not masked; it tells which by their zeros."""

    def __init__(self, layout):
        super().__init__()
        self.layout = layout
        self.posterior = cache(self._posterior)

    def _posterior(self, kept, spacing):
        """What the block is given what is known: how its mean follows, and its covariance diagonalised."""
        p, k = self.layout.p, self.layout.k
        cov, block = process(self.layout.window, spacing), list(range(p, p + k))
        seen = [i if i < p else i + k for i in kept]
        gain = cov[block][:, seen] @ torch.linalg.inv(cov[seen][:, seen])
        lam, u = torch.linalg.eigh(cov[block][:, block] - gain @ cov[seen][:, block])
        return gain.float(), lam, u.float()

    def forward(self, x, t, known, label=None):
        kept = tuple(i for i in range(self.layout.around) if known[:, i].any())
        spacing = 1 if label is None else self.layout.spacing(int(label[0]))
        gain, lam, u = self.posterior(kept, spacing)
        alpha, sigma = (float(c) for c in LINEAR(t[:1].double()))
        shrink = (u * (alpha * lam / (alpha**2 * lam + sigma**2)).float()) @ u.T
        mean = torch.einsum("ks,bshw->bkhw", gain, known[:, list(kept)])
        return mean + torch.einsum("kl,blhw->bkhw", shrink, x - alpha * mean)


def model(p=2, k=5, f=2, **options):
    layout = Layout(p, k, f, **options)
    return VideoDiffusion(Exact(layout), LINEAR, SHAPE, layout, predict="x")


def walk(steps, sampler="ancestral", **options):
    return {"steps": steps, "sampler": sampler, "clip": False, "generator": Streams(0, 1), **options}


def covariance(videos):
    """Of the frames, over all pixels of all videos."""
    pixels = videos.transpose(1, 2).transpose(2, 3).transpose(3, 4).flatten(0, 3).double()
    return pixels.T @ pixels / len(pixels)


def drawn(n):
    """Frames of the process itself."""
    white = torch.randn(1, n, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return torch.einsum("ij,bjchw->bichw", torch.linalg.cholesky(process(n)), white).float()


def test_blocks_from_nothing_follow_the_process_across_their_seams():
    """The published number of steps, four blocks one after another."""
    videos = model().generate(1, 20, **walk(1000))
    cov = covariance(videos)
    assert (cov - process(20)).abs().max() < 0.04
    spread = cov.diag().sqrt()
    for seam in (5, 10, 15):
        assert cov[seam - 1, seam] / (spread[seam - 1] * spread[seam]) == pytest.approx(0.9, abs=0.01)


def test_interpolated_frames_vary_as_they_should_around_the_right_mean():
    exact, ends = model(), drawn(9)
    past, future = ends[:, :2], ends[:, 7:]
    found = exact.interpolate(past, future, **walk(1000))
    gain, lam, u = exact.net._posterior((0, 1, 2, 3), 1)
    mean = torch.einsum("ks,bschw->bkchw", gain, torch.cat([past, future], dim=1))
    spread = (u.double() * lam) @ u.double().T
    rest = covariance(found - mean)
    assert 0.97 < float((rest.diag() / spread.diag()).mean()) < 1.01
    assert (rest - spread).abs().max() < 0.03
    assert (found - mean).mean((0, 2, 3, 4)).abs().max() < 0.02


def test_a_past_that_is_recalled_fits_the_future_it_is_recalled_from():
    future = drawn(2)
    past = model().predict_past(future, 8, **walk(400, "ancestral", variance="large"))
    assert (covariance(torch.cat([past, future], dim=1)) - process(10)).abs().max() < 0.03


@pytest.mark.parametrize(
    ("sampler", "options", "generated", "between"),
    [
        ("ancestral", {}, (0.91, 0.94), (0.88, 0.92)),
        ("ancestral", {"variance": "large"}, (0.97, 1.03), (0.97, 1.05)),
        ("ddim", {}, (0.94, 0.97), (0.92, 0.97)),
    ],
    ids=["small", "large", "ddim"],
)
def test_a_hundred_steps_lose_as_much_variance_as_they_must(sampler, options, generated, between):
    exact, ends = model(), drawn(9)
    variance = covariance(exact.generate(1, 5, **walk(100, sampler, **options))).diag().mean()
    assert generated[0] < variance < generated[1]
    found = exact.interpolate(ends[:, :2], ends[:, 7:], **walk(100, sampler, **options))
    gain, lam, u = exact.net._posterior((0, 1, 2, 3), 1)
    mean = torch.einsum("ks,bschw->bkchw", gain, torch.cat([ends[:, :2], ends[:, 7:]], dim=1))
    ratio = covariance(found - mean).diag() / ((u.double() * lam) @ u.double().T).diag()
    assert between[0] < ratio.mean() < between[1]


def test_first_few_frames_and_then_those_between_follow_the_process():
    """Six frames four apart, then all gaps at once: 21 frames."""
    videos = model(1, 3, 1, levels=1).long_video(21, **walk(400, "ancestral", variance="large"))
    assert videos.shape[1] == 21
    assert (covariance(videos) - process(21)).abs().max() < 0.04
