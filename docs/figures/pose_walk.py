"""docs/images/pose-walk.png: what the commands of docs/pose-walk.md draw, beside one another.

python docs/figures/pose_walk.py
"""

import os
import re
import shlex
import tempfile

import numpy as np
from PIL import Image
from trained import HERE, IMAGES

from unveil.cli.app import run

PAGE = HERE.parent / "pose-walk.md"
HEIGHT = 340


def follow() -> None:
    """The programs and commands of the page up to its corrections, in the current folder."""
    text = PAGE.read_text(encoding="utf-8").split("## Corrections")[0]
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        if language == "python":
            exec(code, {})
        for line in re.findall(r"^\$ unveil (.*)$", code, re.M):
            if not line.startswith("pose edit") and run(shlex.split(line)):
                raise SystemExit(f"unveil {line} failed")


def trimmed(picture: Image.Image) -> Image.Image:
    """Without the white at its sides, at one height."""
    columns = np.flatnonzero((np.asarray(picture.convert("L")) < 200).any(0))
    cut = picture.crop((max(columns[0] - 24, 0), 0, min(columns[-1] + 24, picture.width), picture.height))
    return cut.resize((round(cut.width * HEIGHT / cut.height), HEIGHT), Image.Resampling.LANCZOS)


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        follow()
        found, hero, waving = (Image.open(f"{name}.png").convert("RGB") for name in ("found", "hero", "hero-waving"))
        photo = Image.open("waving.png")
        seen = round(photo.width * found.height / photo.height)  # the picture with its points comes first
        parts = [
            found.crop((0, 0, seen, found.height)),
            found.crop((seen, 0, found.width, found.height)),
            hero.crop((0, 0, hero.width // 2, hero.height)),
            waving.crop((0, waving.height // 2, waving.width, waving.height)),
        ]
        parts = [trimmed(part) for part in parts]
    row = Image.new("RGB", (sum(part.width for part in parts), HEIGHT), "white")
    left = 0
    for part in parts:
        row.paste(part, (left, 0))
        left += part.width
    row.quantize(96, kmeans=2, dither=Image.Dither.NONE).save(IMAGES / "pose-walk.png", optimize=True)


if __name__ == "__main__":
    main()
