"""Draws the formulae of the pages as outlines, so that they need neither LaTeX when built nor scripts when read."""

from functools import cache
from html import escape

from docutils import nodes
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath, text_to_path
from sphinx.application import Sphinx

_SIZE = 100  # units of an outline per em
_FONT = FontProperties(size=_SIZE, math_fontfamily="stix")
_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}


@cache
def outline(formula: str) -> str:
    """A formula as an inline SVG that stands on the line of the text around it."""
    text = f"${' '.join(formula.split())}$"
    path = TextPath((0, 0), text, prop=_FONT)
    width, height, depth = text_to_path.get_text_width_height_descent(text, _FONT, ismath=True)
    d = []
    for points, code in path.iter_segments(curves=True, simplify=False):
        letter = _LETTERS[code]
        numbers = points if letter != "Z" else []
        d.append(letter + " ".join(f"{-v if i % 2 else v:.0f}" for i, v in enumerate(numbers)))
    box = f"0 {-(height - depth):.0f} {width:.0f} {height:.0f}"
    style = f"width:{width / _SIZE:.3f}em;height:{height / _SIZE:.3f}em;vertical-align:{-depth / _SIZE:.3f}em"
    return (
        f'<svg class="formula" role="img" aria-label="{escape(formula)}" viewBox="{box}" style="{style}">'
        f'<path d="{"".join(d)}"/></svg>'
    )


def inline(translator, node: nodes.math) -> None:
    translator.body.append(outline(node.astext()))
    raise nodes.SkipNode


def block(translator, node: nodes.math_block) -> None:
    lines = "<br>".join(outline(line) for line in node.astext().split("\\\\"))
    translator.body.append(f'<div class="formulae">{lines}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("drawn", inline_renderers=(inline, None), block_renderers=(block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
