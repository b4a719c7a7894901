"""Docstrings are written to be read in the source; here their asterisks, bars and tables become reStructuredText."""

import re
from itertools import groupby

from sphinx.application import Sphinx

_MARKS = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")


def escape(line: str) -> str:
    """Guard what reStructuredText would take for markup, outside of `code`."""
    parts = line.split("`")
    return "`".join(part if i % 2 else _MARKS.sub(r"\\\1", part) for i, part in enumerate(parts))


def table(rows: list[str]) -> list[str]:
    """A table of bars as a list-table."""
    cells = [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows]
    lines = ["", ".. list-table::", "   :header-rows: 1", ""]
    for row in (cells[0], *cells[2:]):
        lines += [f"   {'* -' if i == 0 else '  -'} {escape(cell)}" for i, cell in enumerate(row)]
    return [*lines, ""]


def process(app, what, name, obj, options, lines: list[str]) -> None:
    found: list[str] = []
    for is_row, group in groupby(lines, lambda line: line.strip().startswith("|") and line.strip().endswith("|")):
        rows = list(group)
        found += table(rows) if is_row else map(escape, rows)
    lines[:] = found


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
