"""Pairs of a refined sample and the latents that it came from, kept for the generator to learn from."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from unveil.core.errors import ConfigError
from unveil.core.random import Randomness, Streams
from unveil.mcmc import Bank

_NOISE = 0x48617420
"""Names the streams from which the noise of latents comes."""


class Pairs(nn.Module):
    """A bank of samples x with their latents; it is part of a checkpoint.

    The kernel's noise z2 is as large as a sample, so of each only a seed is kept. Samples are kept in half precision.

    Args:
        size: M, how many pairs.
        shape: of a sample.
        latent: numbers of z1.
    """

    x: Tensor
    z: Tensor
    seed: Tensor

    def __init__(self, size: int, shape: torch.Size, latent: int) -> None:
        super().__init__()
        if size < 1:
            raise ConfigError(f"The bank holds {size} pairs; it needs 1 or more, and as many as a batch.")
        self.register_buffer("x", torch.zeros(size, *shape, dtype=torch.float16))
        self.register_buffer("z", torch.zeros(size, latent))
        self.register_buffer("seed", torch.zeros(size, dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.x)

    @property
    def bank(self) -> Bank:
        """The pairs as a bank, which changes them in place."""
        return Bank({"x": self.x, "z": self.z, "seed": self.seed})

    def check(self, batch: int) -> None:
        """Refuse a batch that is larger than the bank.

        Raises:
            ConfigError: it is.
        """
        if batch > len(self):
            raise ConfigError(
                f"The bank keeps {len(self)} pairs and a batch has {batch}; make model.bank larger, or the batch smaller."
            )


def draw_latents(n: int, latent: int, generator: Randomness, device: torch.device) -> tuple[Tensor, Tensor]:
    """Fresh latents: z1 from N(0, 1), (n, latent), and the seeds of z2, (n,), on the CPU."""
    streams = Streams.of(generator, n)
    return streams.randn((n, latent)).to(device), streams.randint(0, 2**62, (n, 1))[:, 0]


def noise_of(seed: Tensor, shape: torch.Size, device: torch.device) -> Tensor:
    """The noise z2 that seeds (n,) stand for, (n, *shape): always the same."""
    return Streams(_NOISE, seed.tolist()).randn((len(seed), *shape)).to(device)


def joined(*parts: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    """The rows of all processes that train together, in order of rank, so that each keeps the same bank.

    All give as many rows. One process by itself gets its own.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return parts
    found = []
    for part in parts:
        sent = part.detach().to(device).contiguous()
        rooms = [torch.empty_like(sent) for _ in range(dist.get_world_size())]
        dist.all_gather(rooms, sent)
        found.append(torch.cat(rooms).to(part.device))
    return tuple(found)
