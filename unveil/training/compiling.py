"""torch.compile, for as long as a training lasts."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def compiled(model: nn.Module) -> Iterator[None]:
    """Compile the networks of a model while the block lasts; its weights keep their names.

    The networks are the outermost modules that have a `forward`: a diffusion model has none, the U-Net in it has one.
    """
    found = list(networks(model))
    for network in found:
        network.compile()
    try:
        yield
    finally:
        for network in found:
            network._compiled_call_impl = None


def networks(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the outermost modules that have a `forward`."""
    if type(module).forward is not nn.Module.forward:
        yield module
        return
    for child in module.children():
        yield from networks(child)
