"""Small diffusions, and data whose best predictions are known, as several tests use them."""

import torch
from analytic import Gaussian
from torch import nn

from unveil.covariance import Dense, Identity, free_field
from unveil.networks.unet import UNet
from unveil.schedules import Discrete, GeometricVE, LinearVP

LINEAR, VP, VE = Discrete.linear(), LinearVP(), GeometricVE(0.01, 10, 50)


SHAPE = (1, 4, 6)


GRADED = torch.linspace(0.5, 1.5, 24).reshape(4, 6)


class Zero(nn.Module):
    def forward(self, x, t, label=None):
        return torch.zeros_like(x)


class Small(nn.Module):
    """Two convolutions that are told the time and the label."""

    def __init__(self, channels=1, width=16, classes=None):
        super().__init__()
        self.into, self.out = nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, channels, 3, padding=1)
        self.time = nn.Linear(1, width)
        self.label = nn.Embedding(classes + 1, width) if classes else None

    def forward(self, x, t, label=None):
        known = self.time(t[:, None])
        if self.label is not None:
            label = torch.full((len(x),), self.label.num_embeddings - 1) if label is None else label
            known = known + self.label(label)
        return self.out(torch.nn.functional.silu(self.into(x) + known[:, :, None, None]))


class Plausible(Small):
    """Nearly the best prediction for data of variance one, as a trained network's would be."""

    def forward(self, x, t, label=None):
        sigma = LINEAR(t)[1].reshape(-1, 1, 1, 1)
        return sigma * x + 0.1 * torch.tanh(super().forward(x, t, label))


class Perfect(nn.Module):
    """The best prediction for Gaussian data, made from its denoiser."""

    def __init__(self, data, predict, cov):
        super().__init__()
        self.denoise, self.predict, self.cov, self.schedule = data.denoiser(), predict, cov, data.schedule

    def forward(self, x_t, t, label=None):
        x_hat = self.denoise(x_t, t)
        alpha, sigma = (c.reshape(-1, 1, 1, 1) for c in self.schedule(t.double()))
        n_hat = (x_t - alpha * x_hat) / sigma
        return {"eps": self.cov.inv_sqrt(n_hat), "n": n_hat, "x": x_hat, "v": alpha * n_hat - sigma * x_hat}[
            self.predict
        ]


def gaussian_data(schedule=LINEAR, cov=Identity()):
    g = torch.Generator().manual_seed(0)
    a = torch.randn(24, 24, generator=g, dtype=torch.float64) / 5
    mean = torch.randn(SHAPE, generator=g, dtype=torch.float64) / 3
    return Gaussian(mean, a @ a.T + 0.05 * torch.eye(24, dtype=torch.float64), schedule, cov)


def cholesky():
    g = torch.Generator().manual_seed(2)
    a = torch.randn(24, 24, generator=g, dtype=torch.float64) / 5
    return Dense(a @ a.T + 0.3 * torch.eye(24, dtype=torch.float64), root="cholesky")


COVARIANCES = {"white": Identity(), "free field": free_field(4, 6), "cholesky": cholesky()}


class TwoChannels(nn.Module):
    """A network made for another number of channels."""

    def forward(self, x, t):
        return x.repeat(1, 2, 1, 1)


class Seasoned(nn.Module):
    """A U-Net with random weights that answers nearly as a trained one would."""

    def __init__(self):
        super().__init__()
        self.net = UNet(1, channels=16, mult=(1, 2), blocks=1, attention=(1,))
        for parameter in self.net.parameters():  # a new network says zero: wake it
            parameter.data.add_(0.05 * torch.randn_like(parameter))

    def forward(self, x, t):
        return LINEAR(t)[1].reshape(-1, 1, 1, 1) * x + 0.1 * torch.tanh(self.net(x, t))
