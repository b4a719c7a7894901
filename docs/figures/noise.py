"""docs/images/noise.png and noise-photo.png: free fields, and a photograph under white and smooth noise."""

import torch
from skimage import data
from trained import save

from unveil.covariance import free_field

z = torch.randn(1, 1, 120, 180, generator=torch.Generator().manual_seed(0))
fields = [free_field(120, 180, power).sqrt(z) for power in (0, 0.5, 1, 2)]
save(torch.cat(fields) / 2.5, "noise.png", columns=4, scale=1)

photo = torch.from_numpy(data.astronaut()[:240, 100:340]).permute(2, 0, 1)[None] / 127.5 - 1
photo = torch.nn.functional.avg_pool2d(photo, 2)
noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
sheet = []
for power in (0, 1):
    n = free_field(*photo.shape[-2:], power).sqrt(noise)
    for alpha in (0.95, 0.8, 0.55, 0.3):
        sheet.append(alpha * photo + (1 - alpha**2) ** 0.5 * n)
save(torch.cat(sheet), "noise-photo.png", columns=4, scale=1)
