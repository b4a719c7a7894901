import torch

from unveil.inverse.borders import Bordered
from unveil.operators import Blur, Compose, Downsample, check_adjoint, gaussian_kernel


def test_its_adjoint_is_its_adjoint_and_it_forgets_what_is_beyond():
    keep = torch.zeros(12, 10)
    keep[:8, :7] = 1
    a = Bordered(Blur(gaussian_kernel(0.8)), keep)
    assert check_adjoint(a, (2, 3, 12, 10)) < 1e-14
    x = torch.randn(1, 1, 12, 10, dtype=torch.float64)
    assert not a.forward(x)[..., 8:, :].any()
    assert abs(a.norm() - 1) < 1e-12


def test_every_round_lowers_the_objective_and_many_find_the_least():
    keep = torch.zeros(6, 6)
    keep[:4, :5] = 1
    whole = Compose(Blur(gaussian_kernel(0.7)), Downsample(2))
    a, lam = Bordered(whole, keep), 3.0
    v, y = (torch.randn(1, 1, side, side, dtype=torch.float64) for side in (12, 6))

    def objective(x):
        return float(lam / 2 * (a.forward(x) - y * keep).square().sum() + (x - v).square().sum() / 2)

    near = a.prox(v, y, lam)
    assert objective(near) < objective(v)
    x = v
    for _ in range(200):
        better = whole.prox(v, y * keep + (1 - keep) * whole.forward(x), lam)
        assert objective(better) <= objective(x) + 1e-9
        x = better
    slope = x - v + lam * a.adjoint(a.forward(x) - y * keep)
    assert slope.abs().max() < 1e-6
    assert objective(near) < 1.1 * objective(x) + 1e-3
