"""LPIPS: how different two pictures look, by the features of AlexNet; the weights are files of the user's."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unveil.core.errors import DataError, ShapeError

_WIDTHS = (64, 192, 384, 256, 256)
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_SMALLEST = 32  # pixels a side: smaller pictures vanish on the way


class PerceptualDistance(nn.Module):
    """LPIPS v0.1 with AlexNet: weighted squared differences of normalized features after each of five convolutions.

    Source: Zhang et al. (2018), arXiv:1801.03924, eq. 1; the network is Krizhevsky (2014), arXiv:1404.5997.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth, fifth = _WIDTHS
        self.convolutions = nn.ModuleList([
            nn.Conv2d(3, first, 11, stride=4, padding=2),
            nn.Conv2d(first, second, 5, padding=2),
            nn.Conv2d(second, third, 3, padding=1),
            nn.Conv2d(third, fourth, 3, padding=1),
            nn.Conv2d(fourth, fifth, 3, padding=1),
        ])  # fmt: skip
        self.weights = nn.ParameterList([torch.full((width,), 1 / width) for width in _WIDTHS])
        self.register_buffer("shift", torch.tensor(_SHIFT)[:, None, None])
        self.register_buffer("scale", torch.tensor(_SCALE)[:, None, None])

    def layers(self, x: Tensor) -> list[Tensor]:
        """The features of pictures after each convolution, each of unit length at every place."""
        h = (x.expand(-1, 3, -1, -1) - self.shift) / self.scale
        found = []
        for number, convolution in enumerate(self.convolutions):
            if number in (1, 2):
                h = F.max_pool2d(h, 3, stride=2)
            h = F.relu(convolution(h))
            found.append(h / (h.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return found

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Compare pictures.

        Args:
            x: pictures in [-1, 1], (B, 3, H, W) or (B, 1, H, W), at least 32 pixels a side.
            y: others of the same shape.

        Returns:
            One distance for each, (B,).

        Raises:
            ShapeError: the shapes differ, or are none of pictures.
        """
        if x.shape != y.shape or x.ndim != 4 or x.shape[1] not in (1, 3) or min(x.shape[-2:]) < _SMALLEST:
            raise ShapeError(
                f"LPIPS was given {tuple(x.shape)} and {tuple(y.shape)}; it compares pictures of one shape (B, 3, H, W) or "
                f"(B, 1, H, W), at least {_SMALLEST} pixels a side."
            )
        total = x.new_zeros(len(x))
        for a, b, weight in zip(self.layers(x), self.layers(y), self.weights, strict=True):
            total = total + ((a - b).square() * weight[:, None, None]).sum(1).mean((1, 2))
        return total


def load_lpips(alexnet: str | Path, linear: str | Path) -> PerceptualDistance:
    """Make LPIPS of its two files of weights.

    Args:
        alexnet: AlexNet's weights as torchvision publishes them (alexnet-owt-7be5be79.pth).
        linear: the weights of the differences, `alex.pth` of LPIPS v0.1.

    Raises:
        DataError: a file cannot be read, or holds other weights.
    """
    network = PerceptualDistance()
    features, weights = _read(alexnet), _read(linear)
    state = network.state_dict()
    for number, place in enumerate((0, 3, 6, 8, 10)):
        for kind in ("weight", "bias"):
            _put(state, f"convolutions.{number}.{kind}", features, f"features.{place}.{kind}", alexnet)
        _put(state, f"weights.{number}", weights, f"lin{number}.model.1.weight", linear)
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def _read(path: str | Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"The weights {path} cannot be read: {error.strerror}. Give the path of a file.") from None
    except Exception:
        raise DataError(f"{path} is damaged or holds more than weights; give the file as it was published.") from None
    if not isinstance(state, dict):
        raise DataError(f"{path} holds no weights by name; give the file as it was published.")
    return state


def _put(state: dict[str, Tensor], name: str, given: dict[str, Tensor], key: str, path: str | Path) -> None:
    value = given.get(key)
    if not isinstance(value, Tensor) or value.numel() != state[name].numel():
        shape = "nothing" if not isinstance(value, Tensor) else tuple(value.shape)
        raise DataError(f"{path} holds {shape} as {key}, where {tuple(state[name].shape)} belongs; it is another file.")
    state[name] = value.float().reshape(state[name].shape)
