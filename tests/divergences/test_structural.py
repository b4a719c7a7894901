import torch

from unveil.divergences import structural_similarity
from unveil.metrics import ssim


def test_it_is_the_metric_in_single_precision_and_has_gradients():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(3, 2, 12, 11, generator=generator) * 2 - 1 for _ in range(2))
    torch.testing.assert_close(structural_similarity(x, y).double(), ssim(x, y), rtol=0, atol=1e-5)
    torch.testing.assert_close(structural_similarity(x, x), torch.ones(3))
    x, y = x.double().requires_grad_(True), y.double()
    assert torch.autograd.gradcheck(lambda x: structural_similarity(x, y, window=5), x)
