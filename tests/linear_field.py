"""A linear field, whose solution is a matrix exponential, a curved one, and where they begin."""

import torch

GENERATOR = torch.Generator().manual_seed(0)
MATRIX = torch.randn(5, 5, generator=GENERATOR, dtype=torch.float64) / 2
START = torch.randn(6, 5, generator=GENERATOR, dtype=torch.float64)


def linear(t, x):
    return x @ MATRIX.T


class Bent(torch.nn.Module):
    """A small network whose Jacobian changes with time and place."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.first = torch.nn.Parameter(torch.randn(7, 5, generator=generator, dtype=torch.float64) / 2)
        self.last = torch.nn.Parameter(torch.randn(5, 7, generator=generator, dtype=torch.float64) / 2)

    def forward(self, t, x):
        return torch.tanh(x @ self.first.T + t.to(x).reshape(-1, 1)) @ self.last.T
