"""Feature spaces: where images are compared, under a name that nobody can mistake."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from unveil.core.errors import DataError

PUBLISHED_INCEPTION = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""SHA-256 of pt_inception-2015-12-05-6726825d.pth, the weights that define FID, KID and the Inception score."""

Output = Literal["features", "logits"]


@dataclass(frozen=True)
class FeatureSpace:
    """A space in which images are compared: a name that nobody can mistake, and the map into it.

    Attributes:
        name: what the numbers measured here are called after.
        network: images (B, C, H, W) in [-1, 1] -> (B, F), or the pair of features (B, F) and logits (B, K); a module or
            any function. A network with a method `features` is asked by that for features, and called for logits.
        output: "features", or "logits" for class scores.
        digest: hash of everything that decides what the network computes; without one nothing is cached.
        published: the network is the published Inception network. Only `of` may say so.
    """

    name: str
    network: Callable[[Tensor], Tensor | tuple[Tensor, Tensor]] = field(repr=False, compare=False)
    output: Output = "features"
    digest: str = ""
    published: bool = False

    @classmethod
    def of(
        cls, network: nn.Module, name: str, *, output: Output = "features", weights: Path | str | None = None
    ) -> "FeatureSpace":
        """Make a space of a network, named after its weights: "digits-classifier@1a2b3c4d".

        Args:
            network: the module, its weights loaded.
            name: what the network is, "digits-classifier".
            output: "features", or "logits" for class scores.
            weights: the file that the network's weights were read from. With the file of the published Inception
                network the numbers are called FID, KID and Inception score; with any other they are not.

        Raises:
            DataError: the file cannot be read.
        """
        published = weights is not None and _file_digest(Path(weights)) == PUBLISHED_INCEPTION
        digest = state_digest(network)
        full = "inception-2015-12-05" if published else f"{name}@{digest[:8]}"
        return cls(full if output == "features" else f"{full}:logits", network, output, digest, published)

    def __call__(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to what the network makes of them."""
        method = getattr(self.network, "features", None)
        if self.output == "features" and callable(method):
            return method(x)
        answer = self.network(x)
        return answer[self.output == "logits"] if isinstance(answer, tuple) else answer

    def metric(self, published: str, ours: str) -> str:
        """Name a metric measured here: as published with the published network only, else after this space."""
        return published if self.published else f"{ours}[{self.name}]"


def _flatten(x: Tensor) -> Tensor:
    return x.flatten(1)


PIXELS = FeatureSpace("pixels", _flatten)
"""The images themselves, flattened."""

POINTS = FeatureSpace("points", _flatten)
"""Points of a space, as they are."""


def state_digest(network: nn.Module) -> str:
    """Hash what a network computes: its structure, and the name, type, shape and bytes of every weight and buffer."""
    digest = hashlib.sha256(repr(network).encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(raw_bytes(value))
    return digest.hexdigest()


def raw_bytes(x: Tensor) -> bytes:
    """The bytes of a tensor, for hashing."""
    return x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"The weights {path} cannot be read: {error.strerror}. Give the path of a file.") from error
