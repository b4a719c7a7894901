"""Random numbers that are the same each time, and networks that are told by them to say something."""

import torch


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def awake(net):
    """What begins at zero says something."""
    with torch.no_grad():
        for value in net.parameters():
            if value.abs().max() < 1e-3:
                value.normal_(0, 0.2, generator=seeded(1))
    return net
