"""Constants that follow their images from device to device."""

from functools import lru_cache

import torch
from torch import Tensor


class Placed:
    """A constant tensor, kept on each device and in each type that images came in."""

    def __init__(self, value: Tensor) -> None:
        self.value = value
        self._copy = lru_cache(maxsize=8)(self._make)

    def _make(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        # A copy made in inference mode could not be used in training afterwards.
        with torch.inference_mode(False), torch.no_grad():
            return self.value.to(device=device, dtype=dtype)

    def like(self, x: Tensor) -> Tensor:
        """The constant beside x: same device, same type."""
        return self._copy(x.device, x.dtype)

    def near(self, x: Tensor) -> Tensor:
        """The constant beside x: same device, its own type."""
        return self._copy(x.device, self.value.dtype)
