"""A small scene, and what is done to it, as tests of editing use it."""

import torch

SMALL = ["data.longest=null", "model.network.widths=8,8,8", "model.chain=6", "model.finer_chain=4", "model.bank=2",
         "model.min_size=16", "training.log_every=5", "training.sample_every=0"]  # fmt: skip


def scene(height=40, width=56):
    """Stripes on a ramp, with a disk."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    disk = ((x - 0.3) ** 2 + y**2 < 0.15).float()
    return torch.stack([0.6 * y, 0.5 * torch.sin(9 * x), 0.8 * disk - 0.4])


def marked(top=10, left=20, size=(40, 56)):
    mask = torch.zeros(size)
    mask[top : top + 8, left : left + 10] = 1
    return mask


def pasted(own):
    image = own.clone()
    image[:, 10:18, 20:30] = torch.tensor([0.9, -0.9, 0.2]).view(3, 1, 1)
    return image
