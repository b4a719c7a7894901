"""Missing pixels."""

from collections.abc import Callable

import torch
from torch import Tensor

from unveil.core.errors import ConfigError, ShapeError
from unveil.operators.arguments import NEGLIGIBLE, check_prox
from unveil.operators.placed import Placed


class Mask:
    """Every pixel times its share that is kept: A = diag(keep). The shape stays, what is missing becomes 0.

    Args:
        keep: 1 where a pixel is known and 0 where it is missing, or anything between; (H, W), (1, H, W) or (C, H, W).
    """

    def __init__(self, keep: Tensor) -> None:
        if keep.ndim not in (2, 3) or not keep.numel():
            raise ShapeError(f"A mask has shape (H, W), (1, H, W) or (C, H, W); this one has {tuple(keep.shape)}.")
        keep = keep if keep.is_floating_point() else keep.float()
        if not bool(((keep >= 0) & (keep <= 1)).all()):
            raise ConfigError(
                f"A mask holds numbers from 0 (missing) to 1 (known); this one holds {float(keep.min()):.4g} to "
                f"{float(keep.max()):.4g}. Divide a mask of 0..255 by 255."
            )
        if not bool(keep.any()):
            raise ConfigError("This mask is 0 everywhere: it keeps no pixel. Known pixels are 1, missing ones 0.")
        self.keep = keep
        self._keep = Placed(keep)
        self._largest = float(keep.max())

    def _beside(self, x: Tensor) -> Tensor:
        if x.shape[-2:] != self.keep.shape[-2:]:
            (height, width), given = self.keep.shape[-2:], x.shape[-2:]
            raise ShapeError(
                f"A mask of {height} x {width} met images of {given[0]} x {given[1]} (height x width); "
                "a mask must have the size of its image."
            )
        if self.keep.ndim == 3 and self.keep.shape[0] not in (1, x.shape[-3]):
            raise ShapeError(f"A mask with {self.keep.shape[0]} channels met images with {x.shape[-3]}; give it 1.")
        return self._keep.like(x)

    def _seen(self, keep: Tensor) -> Tensor:
        return keep > NEGLIGIBLE * self._largest

    def forward(self, x: Tensor) -> Tensor:
        """What is kept of x."""
        return x * self._beside(x)

    adjoint = forward

    def filtered(self, x: Tensor, gain: Callable[[Tensor], Tensor]) -> Tensor:
        """Every pixel times the gain of its own singular value, `keep`."""
        keep = self._beside(x)
        return x * gain(keep * self._seen(keep))

    def pinv(self, y: Tensor) -> Tensor:
        """Y / keep, and 0 where nothing was kept."""
        keep = self._beside(y)
        return torch.where(self._seen(keep), y / keep, 0)

    def prox(self, v: Tensor, y: Tensor, lam: float) -> Tensor:
        """The x for which lam/2 |A x - y|^2 + 1/2 |x - v|^2 is least."""
        keep = self._beside(v)
        check_prox(lam, v, y)
        return v + keep * (y - keep * v) / (1 / lam + keep**2)

    def norm(self) -> float:
        """The largest share that is kept of any pixel."""
        return self._largest
