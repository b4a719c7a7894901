"""docs/images/prediction.png: what a network sees, and the four targets it may be given."""

import torch
from trained import save

import unveil
from unveil import Streams
from unveil.core.random import randn
from unveil.covariance import free_field
from unveil.models.diffusion.prediction import target
from unveil.schedules import Discrete

x, _ = unveil.open_images("digits", split="test").batch([2])
cov, schedule = free_field(8, 8), Discrete.cosine(1000)
eps = randn(x.shape, Streams(1, 1))
n = cov.sqrt(eps)
times = (0.1, 0.3, 0.5, 0.7, 0.9)
rows = {name: [] for name in ("seen", "eps", "n", "x", "v")}
for t in times:
    alpha, sigma = schedule(torch.tensor(t))
    rows["seen"].append(alpha * x + sigma * n)
    for predict in ("eps", "n", "x", "v"):
        rows[predict].append(target(predict, x, eps, n, alpha, sigma))
sheet = torch.cat([torch.cat(row) if name == "x" else torch.cat(row) / 1.5 for name, row in rows.items()])
save(sheet, "prediction.png", columns=len(times), scale=8)
