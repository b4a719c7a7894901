import pytest
import torch
from operators.cases import matrix_of

from unveil.inverse.smooth import STEP, laplacian, smoothest
from unveil.operators import Blur, Compose, Downsample, Grayscale, Mask, gaussian_kernel


def test_the_laplacian_is_that_of_the_grid():
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    energy = sum(x.diff(dim=axis).square().sum() for axis in (-2, -1)) / 2
    (slope,) = torch.autograd.grad(energy, x)
    torch.testing.assert_close(laplacian(x.detach()), slope)
    assert not laplacian(torch.ones(1, 1, 4, 4)).any()


@pytest.mark.parametrize(
    "operator",
    [Downsample(2), Mask(torch.rand(6, 8) < 0.4), Blur(gaussian_kernel(0.5)), Compose(Grayscale(), Downsample(2))],
)
def test_it_solves_its_equations(operator):
    shape, sigma = (3, 6, 8), 0.1
    y = operator.forward(torch.randn(2, *shape, dtype=torch.float64))
    x = smoothest(operator, y, sigma_y=sigma, iterations=1000, tol=1e-9)
    a = matrix_of(operator, shape)
    flat = torch.eye(a.shape[1], dtype=torch.float64).reshape(-1, *shape)
    smooth = laplacian(flat).flatten(1)
    # Of a colour that is lost everywhere alike nothing is known: of all solutions the smallest is given.
    truth = (torch.linalg.pinv(a.T @ a + (sigma / STEP) ** 2 * smooth) @ a.T @ y.flatten(1).T).T
    torch.testing.assert_close(x.flatten(1), truth, rtol=0, atol=1e-3)


def test_a_hole_in_a_ramp_is_filled_with_the_ramp():
    ramp = torch.linspace(-1, 1, 24).expand(1, 1, 20, 24)
    keep = torch.ones(20, 24)
    keep[6:14, 8:15] = 0
    x = smoothest(Mask(keep), Mask(keep).forward(ramp), iterations=400, tol=1e-6)
    assert (x - ramp).abs().max() < 0.02


def test_samples_do_not_depend_on_their_company():
    y = torch.randn(3, 3, 4, 4)
    whole = smoothest(Downsample(2), y, iterations=20)
    torch.testing.assert_close(smoothest(Downsample(2), y[1:2], iterations=20), whole[1:2], rtol=1e-4, atol=1e-4)
