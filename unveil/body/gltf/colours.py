"""One colour a vertex, for small pictures of a character."""

import io
from typing import Any

import numpy as np
from PIL import Image

from unveil.body.gltf.document import Document

_GREY = 0.6


def vertex_colours(document: Document, primitive: dict[str, Any], vertices: int) -> np.ndarray:
    """The colours of a mesh part's vertices, (V, 3) in 0 .. 1 of linear light: of its material, its texture and its own."""
    colours = np.ones((vertices, 3))
    attributes = primitive.get("attributes", {})
    if "material" not in primitive:
        colours *= _GREY
    else:
        look = document.item("materials", primitive["material"]).get("pbrMetallicRoughness", {})
        colours *= np.array(look.get("baseColorFactor", (1, 1, 1, 1))[:3], float)
        texture = look.get("baseColorTexture")
        if texture is not None and f"TEXCOORD_{texture.get('texCoord', 0)}" in attributes:
            places = document.numbers(attributes[f"TEXCOORD_{texture.get('texCoord', 0)}"])
            colours *= _texture(document, texture["index"], places)
    if "COLOR_0" in attributes:
        colours *= document.numbers(attributes["COLOR_0"])[:, :3]
    return colours.clip(0, 1)


def _texture(document: Document, number: int, places: np.ndarray) -> np.ndarray:
    source = document.item("textures", number).get("source")
    image = {} if source is None else document.item("images", source)
    if "bufferView" not in image:
        return np.full((len(places), 3), _GREY)
    try:
        with Image.open(io.BytesIO(document.view(image["bufferView"])[0])) as opened:
            pixels = np.asarray(opened.convert("RGB").resize((256, 256), Image.Resampling.BOX), float) / 255
    except (OSError, ValueError, Image.DecompressionBombError):
        return np.full((len(places), 3), _GREY)
    column, row = (np.floor(places % 1 * 256).astype(int).clip(0, 255)).T
    return pixels[row, column] ** 2.2
