"""Networks that turn a clip into a row of numbers: random filters of space and time, and I3D from a user's file."""

import hashlib
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import DataError, ShapeError

_WIDTHS = (32, 32, 64)
_FEWEST = 10  # frames that I3D needs
_SIDE = 224  # pixels a side that I3D was trained on


class RandomClipFeatures(nn.Module):
    """Means of what random filters of space and time answer, at three scales: 128 numbers a clip.

    Nothing is learnt. Such filters tell textures, speeds and directions apart, and blur, noise, frozen and shuffled
    frames; what a clip is about they do not know.

    Args:
        seed: names the filters.

    Source: Saxe et al. (2011), On random weights and unsupervised feature learning, for pictures.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.filters = nn.ParameterList()
        inputs = 3
        for number, width in enumerate(_WIDTHS):
            shape = (width, inputs, 3, *((5, 5) if number == 0 else (3, 3)))
            fan = inputs * 3 * shape[3] * shape[4]
            self.filters.append(torch.randn(shape, generator=generator) * (2 / fan) ** 0.5)
            inputs = width
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, 128) of clips (B, T, C, H, W) in [-1, 1], of 1 or 3 channels and any size.

        Raises:
            ShapeError: not clips.
        """
        h = _clips(x)
        found = []
        for weight in self.filters:
            sides = [side // 2 for side in weight.shape[2:]]
            h = F.conv3d(
                F.pad(h, [side for pair in reversed(sides) for side in (pair, pair)], mode="replicate"), weight
            )
            h = F.relu(h)
            found.append(h.mean((2, 3, 4)))
            if min(h.shape[3:]) > 1:
                h = F.avg_pool3d(h, (1, 2, 2))
        return torch.cat(found, 1)


class I3D(nn.Module):
    """A TorchScript network of clips, as a feature network.

    Frames are brought to 224 x 224, grey ones repeated, and handed on as (B, 3, T, 224, 224) in [-1, 1]. A network whose
    `forward` takes `rescale`, `resize` and `return_features`, as a file in wide use does, is told not to do either of the
    first two and to do the third.

    Source: Carreira and Zisserman (2017), arXiv:1705.07750; Unterthiner et al. (2018), arXiv:1812.01717.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        known = {argument.name for argument in network.forward.schema.arguments}
        wanted = {"rescale": False, "resize": False, "return_features": True}
        self.options = {name: value for name, value in wanted.items() if name in known}

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, F) of clips (B, T, C, H, W) in [-1, 1], T >= 10.

        Raises:
            ShapeError: not clips, or fewer frames.
        """
        h = _clips(x)
        if h.shape[2] < _FEWEST:
            raise ShapeError(f"I3D needs clips of {_FEWEST} frames or more; these have {h.shape[2]}.")
        frames = F.interpolate(h.transpose(1, 2).flatten(0, 1), (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        return self.network(frames.unflatten(0, (len(x), -1)).transpose(1, 2), **self.options)


def load_i3d(path: str | Path) -> tuple[I3D, str]:
    """Open a TorchScript file of I3D, such as one that answers with the 400 logits of Kinetics.

    TorchScript is a program in a language of its own, which runs as it is read: give files whose source you trust.

    Returns:
        The network, and the SHA-256 of the file.

    Raises:
        DataError: it cannot be read, or is no such file.
    """
    try:
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # torch would rather have another
            network = torch.jit.load(str(path), map_location="cpu")
    except OSError as error:
        raise DataError(f"The network {path} cannot be read: {error.strerror}. Give the path of a file.") from None
    except Exception:
        raise DataError(f"{path} is no TorchScript file, or damaged; weights alone are not enough.") from None
    return I3D(network).eval().requires_grad_(False), digest


def _clips(x: Tensor) -> Tensor:
    """Clips as (B, 3, T, H, W)."""
    if x.ndim != 5 or x.shape[2] not in (1, 3):
        raise ShapeError(f"Clips to take features of have the shape (B, T, C, H, W), C = 1 or 3; got {tuple(x.shape)}.")
    return x.expand(-1, -1, 3, -1, -1).transpose(1, 2)
