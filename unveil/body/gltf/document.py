"""A glTF file taken apart: its description and its numbers."""

import base64
import binascii
import json
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from unveil.body.gltf.errors import GltfError

_MAGIC, _JSON, _BINARY = 0x46546C67, 0x4E4F534A, 0x004E4942
_LARGEST = 1 << 30
_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_SIZES = {"SCALAR": (), "VEC2": (2,), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}
_UNDERSTOOD = {"KHR_materials_unlit", "KHR_texture_transform", "KHR_materials_specular", "KHR_materials_ior",
               "KHR_materials_emissive_strength", "KHR_materials_transmission", "KHR_mesh_quantization",
               "VRM", "VRMC_vrm", "VRMC_materials_mtoon"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Document:
    """What a .glb or .gltf file says.

    Attributes:
        tree: its JSON.
        buffers: its buffers, in order.
    """

    tree: dict[str, Any]
    buffers: tuple[bytes, ...]

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The things of a kind, such as "nodes"; none if there are none."""
        found = self.tree.get(kind, [])
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise GltfError(f"its {kind} are no list of objects")
        return found

    def item(self, kind: str, number: Any) -> dict[str, Any]:
        """One of them."""
        found = self.items(kind)
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(found):
            raise GltfError(f"it names {number!r} of its {len(found)} {kind}")
        return found[number]

    def view(self, number: Any) -> tuple[bytes, int | None]:
        """The bytes of a buffer view, and its stride."""
        view = self.item("bufferViews", number)
        buffer, start, length = view.get("buffer", 0), view.get("byteOffset", 0), view.get("byteLength", 0)
        if not isinstance(buffer, int) or not 0 <= buffer < len(self.buffers):
            raise GltfError(f"it names buffer {buffer!r} of {len(self.buffers)}")
        if not 0 <= start <= start + length <= len(self.buffers[buffer]):
            raise GltfError("its numbers are cut off: a part reaches beyond the end of the file")
        return self.buffers[buffer][start : start + length], view.get("byteStride")

    def numbers(self, accessor: Any) -> np.ndarray:
        """The numbers of an accessor, (N, ...); matrices by rows, normalised integers as shares."""
        found = self.item("accessors", accessor)
        kind, shape, count = found.get("componentType"), _SIZES.get(found.get("type", "")), found.get("count", 0)
        if kind not in _TYPES or shape is None or not isinstance(count, int) or not 0 <= count < 1 << 28:
            raise GltfError(f"an accessor holds {count!r} of type {found.get('type')!r}, {kind!r}")
        width = int(np.prod(shape, dtype=int))
        dtype = np.dtype(_TYPES[kind]).newbyteorder("<")
        if "bufferView" in found:
            values = self._strided(found["bufferView"], found.get("byteOffset", 0), count, width, dtype)
        else:
            values = np.zeros((count, width), dtype)
        if "sparse" in found:
            values = self._sparse(values, found["sparse"], width, dtype)
        if found.get("normalized") and kind != 5126:
            values = np.maximum(values.astype(np.float32) / np.iinfo(dtype.str).max, -1)
        values = values.reshape(count, *shape)
        values = values.swapaxes(1, 2) if shape == (4, 4) else values  # written by columns
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise GltfError("an accessor holds numbers that are not finite")
        return values

    def _strided(self, view: Any, offset: int, count: int, width: int, dtype: np.dtype) -> np.ndarray:
        data, stride = self.view(view)
        stride = stride or width * dtype.itemsize
        if count and (
            stride < width * dtype.itemsize or offset + (count - 1) * stride + width * dtype.itemsize > len(data)
        ):
            raise GltfError("its numbers are cut off: an accessor reaches beyond its part")
        if not count:
            return np.zeros((0, width), dtype)
        rows = np.ndarray((count, width), dtype, data, offset, (stride, dtype.itemsize))
        return rows.copy()

    def _sparse(self, values: np.ndarray, sparse: dict[str, Any], width: int, dtype: np.dtype) -> np.ndarray:
        count, places, changes = sparse["count"], sparse["indices"], sparse["values"]
        kind = np.dtype(_TYPES[places["componentType"]])
        index = self._strided(places["bufferView"], places.get("byteOffset", 0), count, 1, kind)[:, 0]
        if count and int(index.max()) >= len(values):
            raise GltfError("a sparse accessor changes what is not there")
        values[index] = self._strided(changes["bufferView"], changes.get("byteOffset", 0), count, width, dtype)
        return values


def read_document(path: str | os.PathLike[str]) -> Document:
    """Take a .glb or .gltf file apart; buffers beside a .gltf must lie in its folder.

    Raises:
        GltfError: it is no such file, is damaged, or packed in a way that is not understood.
    """
    place = Path(path).expanduser()
    if place.stat().st_size > _LARGEST:
        raise GltfError("it is larger than a gigabyte")
    data = place.read_bytes()
    text, binary = _chunks(data) if data[:4] == b"glTF" else (data, None)
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GltfError(f"it is neither binary glTF nor JSON ({error})") from None
    if not isinstance(tree, dict) or not str(tree.get("asset", {}).get("version", "")).startswith("2"):
        raise GltfError("it is no glTF of version 2")
    unknown = sorted(set(tree.get("extensionsRequired", [])) - _UNDERSTOOD)
    if unknown:
        raise GltfError(f"it needs {', '.join(unknown)}, which is not understood; export it without compression")
    buffers = []
    for number, buffer in enumerate(tree.get("buffers", [])):
        content = binary if number == 0 and "uri" not in buffer else _fetch(place, str(buffer.get("uri", "")))
        if content is None or len(content) < buffer.get("byteLength", 0):
            raise GltfError("it is cut off: the numbers are missing, or some of them")
        buffers.append(content)
    return Document(tree, tuple(buffers))


def glb_bytes(tree: dict[str, Any], binary: bytes) -> bytes:
    """A .glb file of one buffer."""
    text = json.dumps(tree, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text + struct.pack("<II", len(binary), _BINARY) + binary
    return struct.pack("<III", _MAGIC, 2, 12 + len(chunks)) + chunks


def _chunks(data: bytes) -> tuple[bytes, bytes | None]:
    if len(data) < 20:
        raise GltfError("it is cut off within its header")
    _, version, length = struct.unpack_from("<III", data)
    if version != 2 or length > len(data):
        raise GltfError(f"it is cut off: {length} bytes were announced and {len(data)} are there")
    found: dict[int, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<II", data, at)
        if at + 8 + size > length:
            raise GltfError("it is cut off within a part")
        found.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    if _JSON not in found:
        raise GltfError("it has no description")
    return found[_JSON], found.get(_BINARY)


def _fetch(place: Path, uri: str) -> bytes | None:
    if uri.startswith("data:"):
        try:
            return base64.b64decode(uri.partition(",")[2], validate=True)
        except binascii.Error:
            raise GltfError("a buffer written within it is damaged") from None
    name = unquote(uri)
    beside = (place.parent / name).resolve()
    if not name or "://" in name or not beside.is_relative_to(place.parent.resolve()):
        raise GltfError(f"it points to '{uri[:60]}', outside its own folder")
    if not beside.is_file() or beside.stat().st_size > _LARGEST:
        raise GltfError(f"'{uri[:60]}', which should lie beside it, does not")
    return beside.read_bytes()
