"""Draw noise of several colours, and see that it has the variance and the spectrum it should have.

python examples/03_coloured_noise.py
"""

import torch

import unveil
from unveil.covariance import Circulant, Diagonal, free_field

HEIGHT, WIDTH = 64, 96
y, x = torch.meshgrid(torch.linspace(-1, 1, HEIGHT), torch.linspace(-1, 1, WIDTH), indexing="ij")

# Stripes: noise that varies quickly across and slowly down.
fy, fx = torch.fft.fftfreq(HEIGHT)[:, None], torch.fft.fftfreq(WIDTH)
colours = {
    "white": free_field(HEIGHT, WIDTH, power=0),
    "free field, power 1": free_field(HEIGHT, WIDTH, power=1),
    "free field, power 2": free_field(HEIGHT, WIDTH, power=2),
    "stripes": Circulant(1 / (0.01 + 10 * fy**2 + 0.1 * fx**2)),
    "strong in the middle": Diagonal(0.1 + torch.exp(-4 * (x**2 + y**2))),
}

z = torch.randn(400, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
shown = []
for name, cov in colours.items():
    noise = cov.sqrt(z)  # R z
    back = cov.inv_sqrt(noise)  # R^-1 R z
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean() / noise.var()
    print(
        f"{name:<22} variance {noise.var():.3f}, neighbours {neighbours:+.2f}, there and back {(back - z).abs().max():.0e}"
    )
    shown.append(noise[:1] / 2.5)
unveil.save_images(torch.cat(shown), "noise.png", columns=len(shown), scale=2, force=True)
print("One of each is in noise.png")
