"""The page that the demo leaves: plain HTML and CSS, the pictures beside it, nothing from elsewhere."""

import ast
import html
import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

from demo_parts.figures import FIGURES, Figure
from demo_parts.trainings import MODELS, PHOTO, train_command

STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def write_page(out: Path, printed: list[str], steps: int, seconds: float) -> None:
    """Write index.html: plain HTML and CSS, the pictures beside it, nothing from elsewhere."""
    trained = "\n".join(
        "unveil " + " ".join(train_command(recipe, out / "runs" / recipe, steps)) for recipe in (*MODELS, PHOTO)
    )
    forty = f"unveil sample {out}/runs/digits-ddpm -n 40 --sampler ancestral --guidance 2 --out forty.png"
    sections = "".join(section(figure, said, out) for figure, said in zip(FIGURES, printed, strict=True))
    (out / "index.html").write_text(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unveil: small models of handwritten digits and of a photograph</title>
<style>
{STYLE}</style>
</head>
<body>
<header>
<h1>Something is known,<br>the rest is unveiled</h1>
<p>Two small diffusion models, one with white and one with smooth noise, learned from 1,438 handwritten digits of 8 x 8
pixels in {steps:,} steps each, and a model of patches learned from one photograph. Everything on this page was trained,
drawn and measured on this machine just now, in {seconds:.0f} seconds. The models were trained by</p>
<pre>{html.escape(trained)}</pre>
<p>and each program below makes the pictures above it again: put it into a file, and run that with
<code>.venv/bin/python</code> in the folder where the demo was started.</p>
</header>
<main>{sections}</main>
<footer><p>The runs are in {html.escape(str(out / "runs"))}. All of this also goes without Python (after <code>source
.venv/bin/activate</code>): <code>{html.escape(forty)}</code> draws the forty digits at the top, and <code>unveil train
photos-diffusion --data FOLDER</code> learns from pictures of your own.</p></footer>
</body>
</html>
""",
        encoding="utf-8",
    )


def section(figure: Figure, printed: str, out: Path) -> str:
    """A figure as HTML."""
    pictures = "".join(
        f'<figure><img src="{file}" alt="{html.escape(caption)}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        for file, caption in figure.pictures.items()
    )
    kind = "samplers" if len(figure.pictures) > 5 else "pictures"
    return (
        f"<section><h2>{figure.title}</h2>{table(printed)}<div>{figure.text}</div><div class='{kind}'>{pictures}</div>"
        f"<pre>{html.escape(program(figure.draw, out))}</pre></section>\n"
    )


def table(printed: str) -> str:
    """Printed lines as an HTML table: two spaces or more lie between columns."""
    if not printed:
        return ""
    head, *rows = ["".join(f"<td>{cell}</td>" for cell in re.split(" {2,}", line)) for line in printed.splitlines()]
    return f"<table><tr>{head.replace('td>', 'th>')}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def program(draw: Callable[[Path], None], out: Path) -> str:
    """What is in a function after its docstring, as a program of its own."""
    source = inspect.getsource(draw)
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    _, *body = function.body
    first, work = body[0], next(part for part in body if not isinstance(part, ast.Import | ast.ImportFrom))
    lines = source.splitlines()
    imports = textwrap.dedent("\n".join(lines[first.lineno - 1 : work.lineno - 1])).strip()
    rest = textwrap.dedent("\n".join(lines[work.lineno - 1 :]))
    return f"from pathlib import Path\n\n{imports}\n\ndemo = Path({str(out)!r})\n{rest}"
