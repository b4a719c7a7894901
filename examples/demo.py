"""Train two small models of handwritten digits and one of a photograph, look at what they do, pose a body, and leave a page.

    python examples/demo.py --out demo

The data comes with scikit-learn and scikit-image; nothing is downloaded. On two idle CPU cores it takes two minutes. What it
is made of is in `demo_parts`: the trainings, the drawings (each is a program of its own), the texts and the page.
"""

import argparse
import io
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from demo_parts.figures import FIGURES
from demo_parts.page import write_page
from demo_parts.progress import Parts, console
from demo_parts.trainings import SECONDS, train

os.environ.setdefault("OMP_NUM_THREADS", "1")  # on pictures this small several threads only wait for each other

MARK = ".made-by-the-demo"


def main() -> int:
    """Do everything; 0 when the page is there, 2 when the folder is somebody else's, 1 when training failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), help="the folder to leave the page in")
    parser.add_argument("--steps", type=int, default=800, help="training steps of each model")
    given = parser.parse_args()
    out: Path = given.out
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        console.print(f"{out} was not made by the demo, so it is left alone; name another folder with --out.")
        return 2
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()
    parts = Parts({"training three small models, side by side": SECONDS} | {f.title: f.seconds for f in FIGURES})
    with parts.next():
        failed = train(out / "runs", given.steps, parts)
    if failed:
        console.print(failed)
        return 1
    printed = []
    for figure in FIGURES:
        with parts.next(), redirect_stdout(io.StringIO()) as said:
            figure.draw(out)
        printed.append(said.getvalue())
    write_page(out, printed, given.steps, parts.elapsed())
    console.print(f"Done in {parts.elapsed():.0f} seconds. Open {out / 'index.html'} in a browser.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
