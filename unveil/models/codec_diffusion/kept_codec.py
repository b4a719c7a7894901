"""A codec among the weights of a model: fitted to the data before training, and known again by its fingerprint."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from unveil.codecs import Codec, fit_codec, load_codec
from unveil.core.errors import ConfigError, RunError
from unveil.core.protocols import Dataset, Stage

BYTES = 32
"""Of a fingerprint."""


class KeptCodec(nn.Module):
    """A codec that is fitted to the data first, and saved with a model's weights.

    Alone it is a model too: one without stages, whose training is done when it is prepared.

    Args:
        codec: the codec; one with nothing in its codebooks is fitted by `prepare`.
        patches: how many patches it is fitted to.
        pictures: how many pictures they are taken from at most, spread evenly over the data.
        flat: keep entries for patches of one level.
        file: a codec of the same kind that is fitted already, which `prepare` takes instead.
    """

    seal: Tensor

    def __init__(
        self,
        codec: Codec,
        *,
        patches: int = 200_000,
        pictures: int = 4_000,
        flat: bool = True,
        file: str | None = None,
    ) -> None:
        super().__init__()
        self.codec = codec
        self.patches, self.pictures, self.flat, self.file = patches, pictures, flat, file
        self.register_buffer("seal", seal_of(codec))

    def prepare(self, data: Dataset, generator: torch.Generator | None = None) -> None:
        """Fit the codec to data, or read it from its file, if there is nothing in its codebooks yet.

        Raises:
            ConfigError: the file holds another codec than is asked for.
            DataError: the data have too few patches, or the file is no codec.
        """
        if is_fitted(self.codec):
            return
        if self.file is not None:
            codec = self._read(self.file)
        else:
            seed = int(torch.randint(2**31, (), generator=generator))
            codec = fit_codec(
                Pictures(data, self.pictures),
                self.codec.layout,
                patches=self.patches,
                ordered=self.codec.ordered,
                flat=self.flat,
                seed=seed,
            )
        self.codec.load_state_dict(codec.state_dict())
        self.seal.copy_(seal_of(self.codec))

    def stages(self, steps: int | Mapping[str, int]) -> list[Stage]:
        """None: what there is to learn is learned by `prepare`."""
        return []

    # In half of its precision another entry of a codebook would be the nearest.

    def encode(self, x: Tensor) -> Tensor:
        """The codes of pictures, see `Codec.encode`; in full precision."""
        with torch.autocast(x.device.type, enabled=False):
            return self.codec.encode(x)

    def decode(self, codes: Tensor) -> Tensor:
        """The pictures of codes, see `Codec.decode`; in full precision."""
        with torch.autocast(codes.device.type, enabled=False):
            return self.codec.decode(codes)

    def soft_decode(self, probs: Tensor) -> Tensor:
        """The mean picture of probabilities of codes, see `Codec.soft_decode`; in full precision."""
        with torch.autocast(probs.device.type, enabled=False):
            return self.codec.soft_decode(probs.float())

    def _read(self, file: str) -> Codec:
        codec, wanted = load_codec(file), self.codec
        if codec.layout != wanted.layout or codec.ordered != wanted.ordered:
            raise ConfigError(
                f"{file} holds the codec {_described(codec)}, and {_described(wanted)} was asked for; say what the file holds "
                "(name, patch, bits and ordered of the codec), or give another file."
            )
        return codec

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        seal, place = state_dict.get(prefix + "seal"), prefix + "codec."
        if seal is not None and bool(seal.any()):
            kept = {name.removeprefix(place): tensor for name, tensor in state_dict.items() if name.startswith(place)}
            check_seal(self.codec, kept, seal.cpu())
        super()._load_from_state_dict(state_dict, prefix, *args)


class Pictures:
    """Single pictures of a data set, spread evenly over it, each fetched when it is looked at.

    Args:
        data: batches of pictures by index, or of clips, of each of which the middle frame is looked at.
        most: how many pictures at most.
    """

    def __init__(self, data: Dataset, most: int) -> None:
        self._data, self._count = data, min(len(data), most)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Tensor]:
        for i in range(self._count):
            x = self._data.batch([i * len(self._data) // self._count])[0][0]
            yield x[len(x) // 2] if x.ndim == 4 else x


def is_fitted(codec: Codec) -> bool:
    """Whether a codec has anything in its codebooks."""
    return any(bool(quantizer.codebooks.any()) for quantizer in codec.quantizers)


def seal_of(codec: Codec) -> Tensor:
    """The fingerprint of a codec, (32,) uint8; zeros of one that is not fitted."""
    if not is_fitted(codec):
        return torch.zeros(BYTES, dtype=torch.uint8)
    return torch.tensor(list(bytes.fromhex(codec.fingerprint)), dtype=torch.uint8)


def check_seal(codec: Codec, state: Mapping[str, Tensor], seal: Tensor) -> None:
    """Refuse weights that were trained with another codec.

    Args:
        codec: the model's.
        state: the tensors of the codec that comes with the weights.
        seal: the fingerprint that comes with them, on the CPU.

    Raises:
        RunError: the codebooks are others than those that the weights were trained with, or than the model's.
    """
    if not torch.equal(seal_of(Codec.from_state(state)), seal):
        raise RunError(
            "The codebooks beside these weights are not those that they were trained with: their fingerprints differ. Codes "
            "would mean something else; take the weights as training left them."
        )
    mine = seal_of(codec)
    if is_fitted(codec) and not torch.equal(mine, seal):
        raise RunError(
            f"These weights were trained with the codec {_short(seal)}, and this model has the codec {_short(mine)}: the same "
            "codes mean other patches. Build the model with that codec, or train it with this one."
        )


def _short(seal: Tensor) -> str:
    return bytes(seal.tolist()).hex()[:12]


def _described(codec: Codec) -> str:
    order = "ordered" if codec.ordered else "not ordered"
    return f"{codec.layout.name} with patches of {codec.patch} and codes of {codec.layout.bits} bits, {order}"
