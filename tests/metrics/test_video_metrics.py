import math
import warnings

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.data import open_videos
from unveil.metrics import (
    Trial,
    best_of,
    clip_scores,
    extract_features,
    frame_scores,
    frechet_video_distance,
    i3d_space,
    measure_clips,
    measure_frechet,
    psnr,
    random_clip_space,
)
from unveil.networks.clip_features import I3D


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def trial(made, trajectories=1):
    return Trial("predict", 3, made, 4, trajectories, 50, "ddim", 7)


def test_noise_of_a_tenth_is_twenty_decibels():
    truth = torch.zeros(4, 10, 1, 32, 32, dtype=torch.float64)
    made = (truth + 0.2 * noise(4, 10, 1, 32, 32))[:, None]  # a tenth of the range of 2
    scores = clip_scores(frame_scores(made, truth))
    assert scores["psnr"].mean().item() == pytest.approx(20.0, abs=0.05)
    assert scores["mse"].mean().item() == pytest.approx(0.01, rel=0.01)


def test_the_psnr_of_a_clip_is_not_the_mean_over_its_frames():
    truth = torch.zeros(1, 2, 1, 16, 16)
    made = truth.clone()
    made[:, 0] += 0.2  # mean squared errors 0.01 and 0.0001 of the range
    made[:, 1] += 0.02
    scores = clip_scores(frame_scores(made[:, None], truth))
    assert scores["psnr"].item() == pytest.approx(-10 * math.log10((0.01 + 0.0001) / 2), abs=1e-4)
    frames = psnr(made[0], truth[0]).mean().item()
    assert frames == pytest.approx(30.0, abs=1e-4)
    assert scores["psnr"].item() < frames - 5
    assert psnr(made, truth).item() == pytest.approx(scores["psnr"].item(), abs=1e-6)


def test_ssim_is_that_of_scikit_image_on_eight_bit_grey():
    truth = (0.4 * noise(2, 3, 3, 24, 20)).clamp(-1, 1)
    made = (truth + 0.2 * noise(2, 3, 3, 24, 20, seed=1)).clamp(-1, 1)
    ours = frame_scores(made[:, None], truth)["ssim"][:, 0]

    def grey(x):
        return np.round(255 * np.einsum("chw,c->hw", (x.numpy() + 1) / 2, [0.299, 0.587, 0.114]))

    for clip in range(2):
        for frame in range(3):
            theirs = structural_similarity(
                grey(made[clip, frame]), grey(truth[clip, frame]), data_range=255, gaussian_weights=True,
                use_sample_covariance=False,
            )  # fmt: skip
            assert ours[clip, frame].item() == pytest.approx(theirs, abs=1e-6)


def test_equal_clips_are_as_near_as_can_be():
    truth = (0.4 * noise(2, 3, 1, 16, 16)).clamp(-1, 1)
    scores = clip_scores(frame_scores(truth[:, None], truth))
    assert (scores["ssim"] - 1).abs().max() < 1e-12
    assert scores["psnr"].isinf().all()
    assert (scores["mse"] == 0).all()


def test_what_leaves_the_range_is_clipped():
    truth = torch.ones(1, 2, 1, 16, 16)
    assert frame_scores(3 * truth[:, None], truth)["mse"].max() == 0


def test_black_and_white_first_forgives_dark_noise():
    truth = torch.full((1, 4, 1, 32, 32), -1.0)
    truth[..., 8:20, 8:20] = 1
    made = (truth + 0.1 * noise(1, 4, 1, 32, 32).abs() * (truth < 0))[:, None]
    plain, binary = (frame_scores(made, truth, binary=b)["ssim"].mean().item() for b in (False, True))
    assert plain < 0.7
    assert binary == pytest.approx(1)


def test_each_metric_takes_its_own_best_trajectory():
    truth = torch.zeros(5, 4, 1, 16, 16, dtype=torch.float64)
    made = 0.3 * noise(5, 8, 4, 1, 16, 16)
    before = None
    for count in (1, 2, 4, 8):
        found = measure_clips(made[:, :count], truth, trial(4, count), split="test")
        if before is not None:
            assert found["psnr"].value >= before["psnr"].value
            assert found["ssim"].value >= before["ssim"].value
            assert found["mse"].value <= before["mse"].value
        before = found
    scores = clip_scores(frame_scores(made, truth))
    best = best_of(scores["psnr"], "high")
    assert best.tolist() == scores["psnr"].max(1).values.tolist()
    low, high = found["psnr"].interval
    reach = 2.776 * best.std().item() / math.sqrt(5)  # Student's with 4 degrees of freedom
    assert (low, high) == pytest.approx((best.mean().item() - reach, best.mean().item() + reach), rel=1e-3)


def test_a_number_comes_with_its_trial():
    truth = torch.zeros(2, 4, 1, 16, 16)
    one, other = (
        measure_clips(truth[:, None].repeat(1, n, 1, 1, 1, 1) + 0.1, truth, trial(4, n), split="test")["psnr"]
        for n in (1, 3)
    )
    assert "best of 3" in str(other)
    for said in ("predict", "known 3", "made 4", "block 4", "steps 50", "ddim", "seed 7", "2 test"):
        assert said in str(one)
    with pytest.raises(ConfigError, match="cannot be compared"):
        one.beats(other)
    with pytest.raises(ConfigError, match="1 trajectories of 5 frames, and there are 1 of 4"):
        measure_clips(truth[:, None], truth, trial(5), split="test")


@pytest.mark.parametrize("shapes", [((2, 3, 4, 1, 8, 8), (2, 5, 1, 8, 8)), ((2, 4, 1, 8, 8), (2, 4, 1, 8, 8)),
                                    ((0, 1, 4, 1, 8, 8), (0, 4, 1, 8, 8))])  # fmt: skip
def test_shapes_that_do_not_fit(shapes):
    with pytest.raises(ShapeError):
        frame_scores(*(torch.zeros(shape) for shape in shapes))


def test_frames_too_small_for_its_window_have_no_ssim():
    assert set(frame_scores(torch.zeros(1, 1, 2, 1, 8, 8), torch.zeros(1, 2, 1, 8, 8))) == {"mse"}


# --- sets of clips ---------------------------------------------------------------------------------------------------


class Corners(torch.nn.Module):
    """Clips to their first two pixels."""

    def forward(self, x):
        return x[:, 0, 0, 0, :2]


def test_the_distance_between_gaussians_is_known():
    from unveil.metrics import FeatureSpace

    space = FeatureSpace.of(Corners(), "corners")
    x = noise(4000, 2)
    x = torch.linalg.solve_triangular(torch.linalg.cholesky((x - x.mean(0)).T.cov()), (x - x.mean(0)).T, upper=False).T
    clips = torch.zeros(4000, 1, 1, 1, 2, dtype=torch.float64)
    clips[:, 0, 0, 0] = 0.05 * x
    shifted, scaled = clips + torch.tensor([0.3, -0.4]), 2 * clips

    def seen(z):
        return extract_features(space, z, split="test", levels=None)

    assert frechet_video_distance(seen(clips), seen(clips)).value == pytest.approx(0, abs=1e-8)
    assert frechet_video_distance(seen(shifted), seen(clips)).value == pytest.approx(0.25, abs=1e-6)
    assert frechet_video_distance(seen(scaled), seen(clips)).value == pytest.approx(2 * 0.05**2, abs=1e-6)


def test_random_features_tell_motion_from_none():
    digits = open_videos("moving-digits", frames=8, size=16)
    real, other = digits.batch(range(200))[0], digits.batch(range(200, 400))[0]
    space = random_clip_space()

    def distance(clips):
        return measure_frechet(clips[:, None], real, space, split="test", batch_size=50)["all"]

    same = distance(other)
    assert same.name.startswith("frechet-video-distance[random-conv3d@")
    assert "8 frames" in same.preprocessing
    floor = same.value
    assert distance(other[:, [3, 0, 6, 1, 5, 2, 7, 4]]).value > 4 * floor  # shuffled
    assert distance(other[:, :1].expand_as(other)).value > 3 * floor  # frozen
    assert distance(other + 0.2 * noise(*other.shape).float()).value > 4 * floor


def test_random_features_are_the_same_for_everybody():
    assert random_clip_space().name == random_clip_space().name != random_clip_space(1).name
    x = noise(3, 5, 1, 8, 8).float()
    space = random_clip_space()
    assert space(x).shape == (3, 128)
    torch.testing.assert_close(space(x)[1:2], space(x[1:2]))
    torch.testing.assert_close(space(x), space(x.expand(-1, -1, 3, -1, -1)))


@pytest.mark.filterwarnings("ignore:The Frechet distance is measured on")
def test_trajectories_are_measured_together_and_one_by_one():
    truth = 0.3 * noise(40, 4, 1, 8, 8).float()
    made = 0.3 * noise(40, 3, 4, 1, 8, 8, seed=1).float()
    known = 0.3 * noise(40, 2, 1, 8, 8, seed=2).float()
    found = measure_frechet(made, truth, random_clip_space(), known=known, split="test")
    assert found["all"].count == 120
    assert found["each"].count == found["each"].reference_count == 40
    assert "mean over 3 trajectories" in found["each"].interval_kind
    assert "6 frames" in found["all"].preprocessing
    assert set(measure_frechet(made[:, :1], truth, random_clip_space(), split="test")) == {"all"}
    with pytest.raises(ShapeError, match="Known frames"):
        measure_frechet(made, truth, random_clip_space(), known=known[:7], split="test")
    with pytest.raises(ShapeError, match="must be"):
        measure_frechet(made[0], truth, random_clip_space(), split="test")


def scripted(network):
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return torch.jit.script(network)


class Means(torch.nn.Module):
    """The smallest network with the face of I3D: means of what it is given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean([2, 3, 4])


class WidelyUsed(torch.nn.Module):
    def forward(
        self, x: torch.Tensor, rescale: bool = True, resize: bool = True, return_features: bool = False
    ) -> torch.Tensor:
        said = torch.tensor([float(rescale), float(resize), float(return_features), float(x.shape[3])])
        return said.expand(x.shape[0], 4)


def test_i3d_is_a_file_of_the_users(tmp_path):
    scripted(Means()).save(str(tmp_path / "i3d.pt"))
    space = i3d_space(tmp_path / "i3d.pt")
    assert space.name.startswith("i3d@")
    x = (0.3 * noise(6, 10, 1, 20, 24)).float()
    torch.testing.assert_close(space(x), x.mean((1, 2, 3, 4))[:, None].expand(-1, 3), atol=2e-2, rtol=0)
    features = extract_features(space, x, split="test")
    assert frechet_video_distance(features, features).name == f"FVD[{space.name}]"
    with pytest.raises(ShapeError, match="10 frames or more; these have 9"):
        space(x[:, :9])
    with pytest.raises(ShapeError, match=r"\(B, T, C, H, W\)"):
        space(x[:, 0])
    scripted(WidelyUsed()).save(str(tmp_path / "other.pt"))
    assert i3d_space(tmp_path / "other.pt")(x)[0].tolist() == [0, 0, 1, 224]


def test_files_that_are_no_i3d(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        i3d_space(tmp_path / "gone.pt")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "weights.pt")
    with pytest.raises(DataError, match="no TorchScript file"):
        i3d_space(tmp_path / "weights.pt")
    assert I3D(scripted(Means())).options == {}
