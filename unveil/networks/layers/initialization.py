"""How weights begin."""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def xavier_(weight: Tensor, scale: float = 1.0) -> Tensor:
    """Fill a weight (out, in, ...) from U(-a, a) of variance scale 2 / (fan in + fan out); scale 0 fills it with zeros.

    Source: Glorot & Bengio (2010), Understanding the difficulty of training deep feedforward networks, eq. 16.
    """
    return nn.init.xavier_uniform_(weight, gain=math.sqrt(scale))


def initialize(layer: Layer, scale: float = 1.0, parts: int = 1) -> Layer:
    """Give a layer Xavier-uniform weights and zero biases.

    Args:
        layer: a convolution or a linear layer.
        scale: what the variance of the weights is multiplied by; zero makes a layer that begins by saying nothing.
        parts: how many equal layers were stacked into this one; each begins as it would on its own.
    """
    with torch.no_grad():
        for weight in layer.weight.chunk(parts):
            xavier_(weight, scale)
        if layer.bias is not None:
            layer.bias.zero_()
    return layer
