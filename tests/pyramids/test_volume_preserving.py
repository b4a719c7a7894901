import math

import pytest
import torch
from torch.nn import functional

from unveil.core.errors import ConfigError, ShapeError
from unveil.pyramids import PatchTransform

VARIANTS = ["unimodular", "haar", "orthonormal"]
GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.rand(3, 2, 6, 8, generator=GENERATOR, dtype=torch.float64)


def test_the_unimodular_matrix_is_what_the_paper_says():
    rows = PatchTransform().matrix()
    inverse = torch.linalg.inv(rows)
    c0 = 2 ** (2 / 3)
    assert abs(float(torch.linalg.det(rows))) == pytest.approx(1, abs=1e-12)
    columns = torch.diag(torch.tensor([2 ** (-2 / 3)] * 3 + [4.0], dtype=torch.float64))
    torch.testing.assert_close(inverse.T @ inverse, columns, rtol=0, atol=1e-12)
    assert torch.equal(rows[3], torch.full((4,), 0.25, dtype=torch.float64))
    torch.testing.assert_close(rows.square().sum(1), torch.tensor([c0, c0, c0, 0.25]).double(), rtol=0, atol=1e-7)


@pytest.mark.parametrize(("variant", "each"), [("unimodular", 0.0), ("haar", -math.log(2)), ("orthonormal", 0.0)])
def test_log_determinants(variant, each):
    transform = PatchTransform(variant)
    assert math.log(abs(float(torch.linalg.det(transform.matrix())))) == pytest.approx(each, abs=1e-12)
    assert transform.logdet((2, 6, 8)) == pytest.approx(each * 2 * 3 * 4, abs=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_log_determinant_is_that_of_the_jacobian(variant):
    transform = PatchTransform(variant)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: torch.cat([part.flatten() for part in transform.split(x.reshape(1, 1, 4, 4))]),
        torch.rand(16).double(),
    )
    assert float(torch.linalg.slogdet(jacobian)[1]) == pytest.approx(transform.logdet((1, 4, 4)), abs=1e-10)


@pytest.mark.parametrize("variant", VARIANTS)
def test_splitting_is_the_matrix_applied_to_every_patch(variant):
    transform = PatchTransform(variant)
    details, coarse = transform.split(IMAGES)
    kernel = transform.matrix().reshape(4, 1, 2, 2).repeat(2, 1, 1, 1)  # four outputs of each channel
    found = functional.conv2d(IMAGES, kernel, stride=2, groups=2).unflatten(1, (2, 4))
    torch.testing.assert_close(coarse, found[:, :, 3], rtol=0, atol=1e-14)
    torch.testing.assert_close(details, torch.cat([found[:, :, kind] for kind in range(3)], 1), rtol=0, atol=1e-14)
    inverse = torch.linalg.inv(transform.matrix()).T.reshape(4, 1, 2, 2).repeat(2, 1, 1, 1)
    merged = functional.conv_transpose2d(found.flatten(1, 2), inverse, stride=2, groups=2)
    torch.testing.assert_close(merged, IMAGES, rtol=0, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_merging_undoes_splitting(variant, dtype, bound):
    transform = PatchTransform(variant)
    images = IMAGES.to(dtype)
    torch.testing.assert_close(transform.merge(*transform.split(images)), images, rtol=0, atol=bound)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_coarse_image_is_the_average(variant):
    transform = PatchTransform(variant)
    coarse = transform.split(IMAGES)[1]
    torch.testing.assert_close(coarse, transform.gain * functional.avg_pool2d(IMAGES, 2), rtol=0, atol=1e-15)


@pytest.mark.parametrize("variant", VARIANTS)
def test_white_noise_splits_into_white_noise(variant):
    transform = PatchTransform(variant)
    parts = transform.split(torch.randn(50, 1, 64, 64, generator=torch.Generator().manual_seed(0)))
    for part, variance in zip(parts, transform.variances, strict=True):
        assert float(part.var()) == pytest.approx(variance, rel=0.03)
    assert abs(float((parts[0][:, :1] * parts[1]).mean())) < 0.01


def test_details_of_images_in_the_unit_range():
    corners = torch.tensor([[0.0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]]).reshape(3, 1, 2, 2)
    details, coarse = PatchTransform().split(corners)
    assert float(details.abs().max()) == pytest.approx(2 ** (1 / 3))
    assert torch.equal(coarse, torch.full_like(coarse, 0.5))


def test_the_transform_refuses_what_cannot_be():
    with pytest.raises(ConfigError, match="no transform 'db4'"):
        PatchTransform("db4")
    with pytest.raises(ShapeError, match="even sides"):
        PatchTransform().split(torch.zeros(1, 1, 3, 4))
    with pytest.raises(ShapeError, match="need details of shape"):
        PatchTransform().merge(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
