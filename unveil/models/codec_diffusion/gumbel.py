"""Draws from categorical distributions: exact ones, and soft ones that gradients pass through.

Adding Gumbel noise to logits and taking the largest draws from their softmax; taking the softmax of the sum instead gives
shares of all classes, nearly all of it one class's where the temperature is low.

Source: Jang et al. (2017), arXiv:1611.01144; Maddison et al. (2017), arXiv:1611.00712.
"""

import torch
from torch import Tensor

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_amount
from unveil.core.random import Randomness, Streams


def gumbel_like(x: Tensor, generator: Randomness = None) -> Tensor:
    """Draw Gumbel noise with the shape, type and device of x, (B, ...).

    Streams name one generator a row, which then draws on the device: logits are many.
    """
    wait = torch.empty_like(x, dtype=torch.float32)
    if isinstance(generator, Streams):
        seeds = generator.randint(0, 2**62, (len(x), 1)).flatten().tolist()
        for row, seed in zip(wait, seeds, strict=True):
            row.exponential_(generator=torch.Generator(x.device).manual_seed(seed))
    else:
        wait.exponential_(generator=generator)
    return wait.clamp_(min=1e-20).log_().neg_().to(x.dtype)


def gumbel_softmax(
    logits: Tensor,
    temperature: float = 1.0,
    generator: Randomness = None,
    *,
    dim: int = -1,
    straight_through: bool = False,
) -> Tensor:
    """Draw shares of the classes, which sum to 1 and pass gradients to the logits.

    Args:
        logits: (B, ...), the classes along `dim`.
        temperature: near 0 one class takes all, large ones share evenly.
        generator: one stream per row.
        dim: where the classes are.
        straight_through: give the largest class all of it, and the gradient of the shares.

    Raises:
        ConfigError: the temperature is not above 0.
    """
    if not 0 < temperature < float("inf"):
        raise ConfigError(f"The temperature of a soft draw is {temperature}; it must be above 0, and 1 is usual.")
    shares = ((logits + gumbel_like(logits, generator)) / temperature).softmax(dim)
    if not straight_through:
        return shares
    hard = torch.zeros_like(shares).scatter_(dim, shares.argmax(dim, keepdim=True), 1.0)
    return hard - shares.detach() + shares


def draw(logits: Tensor, temperature: float = 1.0, generator: Randomness = None, *, dim: int = -1) -> Tensor:
    """Draw classes from softmax(logits / temperature), int64, without the axis of the classes.

    Args:
        logits: (B, ...), the classes along `dim`.
        temperature: 0 takes the likeliest class; large ones make all equally likely.
        generator: one stream per row.
        dim: where the classes are.

    Raises:
        ConfigError: the temperature is negative.
    """
    check_amount("temperature", temperature)
    if temperature == 0:
        return logits.argmax(dim)
    noise = gumbel_like(logits, generator)
    if temperature < 1:  # where a quotient could leave the range of floats, the product takes the same class
        return (logits + temperature * noise).argmax(dim)
    return (logits / temperature + noise).argmax(dim)
