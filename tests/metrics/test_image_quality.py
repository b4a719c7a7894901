"""Metrics of image pairs and of densities: PSNR, SSIM, bits per dimension."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from unveil.core.errors import ConfigError, ShapeError
from unveil.metrics import bits_per_dim, measure_bits_per_dim, measure_psnr, measure_ssim, psnr, ssim


def pair(seed=0, shape=(3, 3, 24, 31), noise=0.2):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(*shape, generator=generator) * 2 - 1
    return x, (x + noise * torch.randn(*shape, generator=generator)).clamp(-1, 1)


def test_psnr_of_a_known_error_is_known():
    x = torch.zeros(2, 1, 8, 8)
    y = torch.stack([torch.full((1, 8, 8), 0.1), torch.full((1, 8, 8), 0.01)])
    torch.testing.assert_close(psnr(x, y, data_range=1.0), torch.tensor([20.0, 40.0]).double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(psnr(x, 2 * y), torch.tensor([20.0, 40.0]).double(), rtol=1e-6, atol=0)
    assert psnr(x, x).tolist() == [math.inf, math.inf]


def test_psnr_of_a_clip_is_not_the_mean_over_its_frames():
    x = torch.zeros(1, 2, 1, 4, 4)
    y = x.clone()
    y[:, 0], y[:, 1] = 0.1, 0.001
    of_the_clip = psnr(x, y, data_range=1.0).item()
    of_frames = psnr(x[0], y[0], data_range=1.0).mean().item()
    assert of_the_clip == pytest.approx(10 * math.log10(2 / (0.1**2 + 0.001**2)), rel=1e-6)
    assert of_frames == pytest.approx(40, rel=1e-6)


def test_psnr_equals_scikit_image():
    x, y = pair()
    expected = [
        peak_signal_noise_ratio(a.double().numpy(), b.double().numpy(), data_range=2) for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(psnr(x, y), expected, rtol=1e-10)


@pytest.mark.parametrize("data_range", [2.0, 1.0, 255.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_equals_scikit_image(data_range, channels):
    x, y = (z * data_range / 2 for z in pair(shape=(3, channels, 24, 31)))
    expected = [
        structural_similarity(
            a.double().numpy(), b.double().numpy(), data_range=data_range, channel_axis=0,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )
        for a, b in zip(x, y, strict=True)
    ]  # fmt: skip
    np.testing.assert_allclose(ssim(x, y, data_range=data_range), expected, atol=1e-9)


def test_ssim_of_photographs_and_of_a_smaller_window_equals_scikit_image():
    from skimage.data import camera

    x = torch.from_numpy(camera()[::4, ::4].copy()).float()[None, None]
    y = (x + 12 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 255).round()

    def reference(**options):
        return structural_similarity(
            x[0, 0].numpy(),
            y[0, 0].numpy(),
            data_range=255,
            gaussian_weights=True,
            use_sample_covariance=False,
            **options,
        )

    assert ssim(x, y, data_range=255).item() == pytest.approx(reference(sigma=1.5), abs=1e-6)
    assert ssim(x, y, data_range=255, window=7, sigma=0.9).item() == pytest.approx(reference(sigma=0.9), abs=1e-6)


def test_ssim_agrees_with_torchmetrics_within_the_border():
    image = pytest.importorskip("torchmetrics.functional.image")
    x, y = (z.double() for z in pair())
    _, full = image.structural_similarity_index_measure(x, y, data_range=2.0, return_full_image=True)
    np.testing.assert_allclose(ssim(x, y), full[..., 5:-5, 5:-5].mean((1, 2, 3)), atol=1e-6)


def test_ssim_is_one_for_equal_images_symmetric_and_falls_with_noise():
    x, y = pair()
    torch.testing.assert_close(ssim(x, x), torch.ones(3).double())
    torch.testing.assert_close(ssim(x, y), ssim(y, x))
    values = [ssim(x, pair(noise=noise)[1]).mean().item() for noise in (0.05, 0.2, 0.8)]
    assert values == sorted(values, reverse=True)


def test_ssim_takes_clips():
    x, y = pair(shape=(2, 4, 3, 16, 16))
    assert ssim(x, y).shape == (2, 4)
    torch.testing.assert_close(ssim(x, y)[1], ssim(x[1], y[1]))


def test_a_flat_shift_leaves_only_the_luminance_term():
    x, y = torch.full((1, 1, 16, 16), 0.2), torch.full((1, 1, 16, 16), 0.6)
    c1 = 0.01**2
    expected = (2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1)
    assert ssim(x, y, data_range=1.0).item() == pytest.approx(expected, rel=1e-6)


def test_uniform_noise_costs_eight_bits():
    dims = 3 * 4 * 5
    on_one = torch.zeros(6)
    on_two = torch.full((6,), -dims * math.log(2), dtype=torch.float64)
    assert bits_per_dim(on_two, (3, 4, 5)).tolist() == [8.0] * 6
    assert bits_per_dim(on_one, (3, 4, 5), data_range=1.0).tolist() == [8.0] * 6
    found = measure_bits_per_dim(on_two, (3, 4, 5), split="test", preprocessing="dequantised")
    assert found.value == 8.0
    assert "+7 bits for 256 levels in 2" in found.notes


def test_bits_per_dim_do_not_depend_on_the_units_of_the_images():
    x = torch.randn(50, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.1 + 0.5

    def density(mean, std):
        return torch.distributions.Normal(mean, std).log_prob

    in_one = bits_per_dim(density(0.5, 0.1)(x).sum(1), (12,), data_range=1.0)
    in_two = bits_per_dim(density(0.0, 0.2)(2 * x - 1).sum(1), (12,))
    torch.testing.assert_close(in_one, in_two)


def test_measures_name_their_conventions():
    x, y = pair()
    decibel = measure_psnr(x, y, split="test", preprocessing="noise 0.2")
    assert (decibel.unit, decibel.count, decibel.better) == ("dB", 3, "high")
    assert decibel.value == pytest.approx(psnr(x, y).mean().item())
    assert "data range 2" in decibel.notes
    similarity = measure_ssim(x, y, split="test", preprocessing="noise 0.2")
    assert similarity.value == pytest.approx(ssim(x, y).mean().item())
    assert "gaussian window 11, sigma 1.5" in similarity.notes
    same = measure_psnr(x, x, split="test", preprocessing="none")
    assert same.value == math.inf
    assert same.interval is None


def test_mistakes_are_explained():
    x = torch.zeros(2, 1, 8, 8)
    with pytest.raises(ShapeError, match="must be equal"):
        psnr(x, x[:1])
    with pytest.raises(ConfigError, match=r"2 for images in \[-1, 1\]"):
        psnr(x, x, data_range=0)
    with pytest.raises(ShapeError, match="window of 11"):
        ssim(x, x)
    with pytest.raises(ConfigError, match="odd"):
        ssim(x, x, window=4)
    with pytest.raises(ShapeError, match="one per image"):
        bits_per_dim(torch.zeros(2, 2), (1, 8, 8))
    with pytest.raises(ConfigError, match="256 levels"):
        bits_per_dim(torch.zeros(2), (1, 8, 8), data_range=0)
