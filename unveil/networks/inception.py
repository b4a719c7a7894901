"""The Inception-v3 network that the Frechet inception distance is defined by; its weights are a file of the user's."""

import hashlib
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from unveil.core.errors import DataError, ShapeError
from unveil.networks.layers.memory import channels_last

PUBLISHED = "pt_inception-2015-12-05-6726825d.pth"
"""Name of the published weights; the eight digits at its end begin the file's SHA-256."""

_PATCH = 23
"""Side in pixels of what one place before the second max-pooling sees."""


class Inception(nn.Module):
    """Images to the 2048 features of the Frechet inception distance, and the logits of the Inception score.

    The graph is TensorFlow's of 2015-12-05, which differs from later ones: means over a border leave the border out,
    the last mixed block takes a maximum instead of a mean, and there are 1008 classes. Parts are named as in the
    published weights. Normalization always uses the stored statistics, also in training mode.

    The numbers depend on how an image reaches 299 x 299. Here, as in the TensorFlow graph and in torch-fidelity, output
    pixel i lies at i * side / 299 of the input and is interpolated linearly without smoothing; pytorch-fid puts pixel
    centres at (i + 1/2) * side / 299, and its distances differ a little.

    Source: Szegedy et al. (2016), arXiv:1512.00567; the distance is Heusel et al. (2017), arXiv:1706.08500.
    """

    num_features = 2048

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b = MixedA(192, 32)
        self.Mixed_5c = MixedA(256, 64)
        self.Mixed_5d = MixedA(288, 64)
        self.Mixed_6a = MixedB(288)
        self.Mixed_6b = MixedC(768, 128)
        self.Mixed_6c = MixedC(768, 160)
        self.Mixed_6d = MixedC(768, 160)
        self.Mixed_6e = MixedC(768, 192)
        self.Mixed_7a = MixedD(768)
        self.Mixed_7b = MixedE(1280)
        self.Mixed_7c = MixedE(2048, maximum=True)
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits.

        Args:
            x: images in [-1, 1], (B, 3, H, W), or (B, 1, H, W) for grey ones; any size.

        Returns:
            Features (B, 2048) and logits (B, 1008), these without the bias, as the Inception score has them.

        Raises:
            ShapeError: not images of one or three channels.
        """
        _check_images(x)
        x = F.max_pool2d(self._before_second_pool(_resize(x.expand(-1, 3, -1, -1), 299)), 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        features = x.mean((2, 3))
        return features, F.linear(features, self.fc.weight)

    def patches(self, x: Tensor) -> Tensor:
        """What the network sees at every place of an image that is not resized, just before its second max-pooling.

        Args:
            x: images in [-1, 1], (B, 3, H, W), or (B, 1, H, W) for grey ones; 23 pixels or more on each side.

        Returns:
            (B, 192, H', W'), four pixels from one place to the next.

        Raises:
            ShapeError: not images of one or three channels, or too small ones.

        Source: Shaham et al. (2019), arXiv:1905.01164, section 3.
        """
        _check_images(x)
        if min(x.shape[2:]) < _PATCH:
            raise ShapeError(
                f"Inception sees patches of {_PATCH} pixels a side; an image of {x.shape[3]} x {x.shape[2]} is too small."
            )
        return self._before_second_pool(x.expand(-1, 3, -1, -1))

    def _before_second_pool(self, x: Tensor) -> Tensor:
        x = (127.5 * x - 0.5) / 128  # [-1, 1] is 0 .. 255, of which the graph takes 128 and divides by 128
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        return self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))


class Convolution(nn.Module):
    """Convolution without bias, normalization by stored statistics, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, size: int | tuple[int, int], *, stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H', W')."""
        x = F.batch_norm(
            self.conv(x), self.bn.running_mean, self.bn.running_var, self.bn.weight, self.bn.bias, eps=self.bn.eps
        )
        return F.relu_(x)


class MixedA(nn.Module):
    """The mixed block at 35 x 35."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(inputs, 64, 1)
        self.branch5x5_1 = Convolution(inputs, 48, 1)
        self.branch5x5_2 = Convolution(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, padding=1)
        self.branch_pool = Convolution(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, 224 + pooled, H, W)."""
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_mean3(x))], 1)


class MixedB(nn.Module):
    """From 35 x 35 to 17 x 17."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = Convolution(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, 480 + inputs, H', W')."""
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, stride=2)], 1)


class MixedC(nn.Module):
    """The mixed block at 17 x 17, with filters of one row or one column."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(inputs, 192, 1)
        self.branch7x7_1 = Convolution(inputs, width, 1)
        self.branch7x7_2 = Convolution(width, width, (1, 7), padding=(0, 3))
        self.branch7x7_3 = Convolution(width, 192, (7, 1), padding=(3, 0))
        self.branch7x7dbl_1 = Convolution(inputs, width, 1)
        self.branch7x7dbl_2 = Convolution(width, width, (7, 1), padding=(3, 0))
        self.branch7x7dbl_3 = Convolution(width, width, (1, 7), padding=(0, 3))
        self.branch7x7dbl_4 = Convolution(width, width, (7, 1), padding=(3, 0))
        self.branch7x7dbl_5 = Convolution(width, 192, (1, 7), padding=(0, 3))
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, 768, H, W)."""
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), seven, twice, self.branch_pool(_mean3(x))], 1)


class MixedD(nn.Module):
    """From 17 x 17 to 8 x 8."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(inputs, 192, 1)
        self.branch3x3_2 = Convolution(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Convolution(inputs, 192, 1)
        self.branch7x7x3_2 = Convolution(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Convolution(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Convolution(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, 512 + inputs, H', W')."""
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, F.max_pool2d(x, 3, stride=2)], 1)


class MixedE(nn.Module):
    """The mixed block at 8 x 8, whose filters of one row and one column lie side by side."""

    def __init__(self, inputs: int, *, maximum: bool = False) -> None:
        super().__init__()
        self.maximum = maximum
        self.branch1x1 = Convolution(inputs, 320, 1)
        self.branch3x3_1 = Convolution(inputs, 384, 1)
        self.branch3x3_2a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Convolution(inputs, 448, 1)
        self.branch3x3dbl_2 = Convolution(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, 2048, H, W)."""
        three = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self.maximum else _mean3(x)
        parts = [self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)]
        parts += [self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice), self.branch_pool(pooled)]
        return torch.cat(parts, 1)


def load_inception(path: str | Path) -> Inception:
    """Inception with weights from a local file, frozen.

    Args:
        path: the published `pt_inception-2015-12-05-6726825d.pth`, which belongs to the program pytorch-fid, or a
            .safetensors file of the same tensors. Nothing is downloaded, and nothing is unpickled but tensors.

    Warns:
        UserWarning: the file is not the published one, byte for byte, so its distances may not compare.

    Raises:
        DataError: there is no such file, it is damaged, or it holds other tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no file {path}; give the path of Inception weights, published as {PUBLISHED}.")
    try:
        path.open("rb").close()  # safetensors would say of a file without permission that there is none
    except OSError as error:
        raise DataError(f"{path} cannot be read: {str(error.strerror).lower()}.") from None
    weights = _read(path)
    with torch.device("meta"):
        network = Inception()
    own = network.state_dict()
    # Counts of training batches: some files hold them, others do not, and nothing here reads them.
    weights |= {name: torch.tensor(0) for name in own if name.endswith("num_batches_tracked")}
    wrong = sorted(
        name for name in own.keys() | weights.keys()
        if name not in own or name not in weights or own[name].shape != weights[name].shape
    )  # fmt: skip
    if wrong:
        raise DataError(
            f"{path} does not hold the Inception weights of the Frechet distance: {len(wrong)} tensors are missing, "
            f"unknown or of another shape, such as {wrong[0]}. The file wanted is {PUBLISHED}; "
            "torchvision's ImageNet weights are another network."
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not PUBLISHED.endswith(f"-{digest[:8]}.pth"):
        warnings.warn(
            f"{path} has SHA-256 {digest[:8]}..., so it is not byte for byte the published {PUBLISHED}; "
            "distances measured with it compare with published ones only if the weights inside are the same.",
            stacklevel=2,
        )
    network.load_state_dict({name: weight.float() for name, weight in weights.items()}, assign=True)
    channels_last(network)
    return network.eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        plain = path.suffix == ".safetensors"
        weights = load_file(path) if plain else torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a damaged file makes the readers raise errors of many kinds, with advice that is not for here
        raise DataError(
            f"{path} cannot be read as weights: it is no .pth or .safetensors file of tensors, or a damaged one. "
            f"The file wanted is {PUBLISHED}."
        ) from None
    if not isinstance(weights, dict) or not all(isinstance(weight, Tensor) for weight in weights.values()):
        raise DataError(f"{path} holds no plain table of tensors; give the published file {PUBLISHED}.")
    return dict(weights)


def _check_images(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise ShapeError(f"Inception was given {tuple(x.shape)}; it takes images (B, 3, H, W) or (B, 1, H, W).")


def _mean3(x: Tensor) -> Tensor:
    """Mean over 3 x 3 pixels; what lies beyond the border does not count."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _resize(x: Tensor, side: int) -> Tensor:
    """Linear interpolation of (B, C, H, W) to (B, C, side, side), as TensorFlow 1 does it."""
    return _interpolation(x.shape[2], side, x) @ x @ _interpolation(x.shape[3], side, x).T


def _interpolation(old: int, new: int, like: Tensor) -> Tensor:
    """The matrix (new, old) that interpolates `old` values at places i * old / new."""
    place = torch.arange(new, device=like.device) * (old / new)
    low = place.long().clamp(max=old - 1)
    fraction = (place - low).to(like.dtype)
    matrix = torch.zeros(new, old, dtype=like.dtype, device=like.device)
    rows = torch.arange(new, device=like.device)
    matrix[rows, low] = 1 - fraction
    matrix[rows, (low + 1).clamp(max=old - 1)] += fraction
    return matrix
