"""docs/images/schedules.png and schedules-digits.png: four schedules, and what three of them do to a digit."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from trained import IMAGES, save

import unveil
from unveil import Streams
from unveil.core.random import randn
from unveil.schedules import Discrete, GeometricVE, LinearVP

SCHEDULES = {
    "Discrete.linear(1000)": Discrete.linear(1000),
    "Discrete.cosine(1000)": Discrete.cosine(1000),
    "LinearVP()": LinearVP(),
    "GeometricVE(0.01, 50)": GeometricVE(0.01, 50),
}
t = torch.linspace(0.001, 1, 500, dtype=torch.float64)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), dpi=110, layout="constrained")
for i, (name, schedule) in enumerate(SCHEDULES.items()):
    alpha, sigma = schedule(t)
    right.plot(t, 20 * (alpha / sigma).log10(), color=f"C{i}", ls="--" if i == 2 else "-", label=name)
    if name.startswith("Discrete"):
        left.plot(t, alpha, color=f"C{i}", label=rf"$\alpha$, {name}")
        left.plot(t, sigma, color=f"C{i}", ls=":", label=rf"$\sigma$, {name}")
left.set(xlabel="t", title="signal and noise", xlim=(0, 1))
left.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
right.set(xlabel="t", title="signal-to-noise ratio, dB", xlim=(0, 1), ylim=(-60, 60))
right.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
figure.savefig(IMAGES / "schedules.png")

x, _ = unveil.open_images("digits", split="test").batch([0])
noise = randn((1, *x.shape[1:]), Streams(0, 1))
rows = []
for name in ("Discrete.linear(1000)", "Discrete.cosine(1000)", "GeometricVE(0.01, 50)"):
    for time in torch.linspace(0, 1, 9):
        alpha, sigma = SCHEDULES[name](time)
        state = alpha * x + sigma * noise
        rows.append(state / max(1.0, float((alpha**2 + sigma**2).sqrt())))
save(torch.cat(rows), "schedules-digits.png", columns=9, scale=8)
