"""Models that hold still while something else moves: a sample, a walk, or what they are asked about."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.utils import parametrize


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Leave out dropout while the block lasts."""
    modes = {module: module.training for module in model.modules() if module.training}
    if modes:
        model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def still(*modules: nn.Module) -> Iterator[None]:
    """Let networks be plain functions while the block lasts: evaluation mode, no weights' gradients, norms worked out once."""
    modes = {part: part.training for module in modules for part in module.modules()}
    learning = [value for module in modules for value in module.parameters() if value.requires_grad]
    for module in modules:
        module.eval().requires_grad_(False)
    try:
        with parametrize.cached():
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode
        for value in learning:
            value.requires_grad_(True)
