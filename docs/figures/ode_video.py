"""docs/images/ode-video.gif, .png and ode-path.png: clips that a model of paths has not seen, and what it makes of them.

In the .png a clip and below it the path that is made of the frames with a border, for each of three clips; in the .gif clips
and their paths at four times the frame rate, the frames of the clip standing still in between. With `--run RUN` the model is
taken from a run that is there.
"""

import argparse
from pathlib import Path

import torch
from trained import IMAGES, as_published

import unveil
from unveil.data import open_videos, save_animation, save_images
from unveil.tasks.film import course as rows_of
from unveil.tasks.video_path import course, draw

CLIPS, FACTOR, SIDE = 8, 4, 2
FPS = 20.0


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--run", type=Path)
    given = options.parse_args()
    run = unveil.load(given.run) if given.run else as_published("moving-digits-ode-variational")
    data, window = run.recipe.data, run.recipe.model.window
    clips = open_videos(
        "moving-digits", frames=window, size=data.size, digits=data.digits, walls=data.walls, split="test"
    ).batch(range(CLIPS))[0]
    save_images(rows_of(run.model, clips[:3]), IMAGES / "ode-video.png", force=True)

    at = torch.arange((window - 1) * FACTOR + 1).double() / FACTOR
    path = run.model.frames_at(clips[:, : run.model.p], at, mean=True).cpu()
    held = clips.repeat_interleave(FACTOR, 1)[:, : len(at)]
    both = torch.cat([held, path])
    frames = [x.repeat_interleave(SIDE, -1).repeat_interleave(SIDE, -2) for x in both.unbind(1)]
    save_animation(frames, IMAGES / "ode-video.gif", fps=FPS, hold=0.5, columns=CLIPS, scale=1, padding=1, force=True)
    draw(course(run, "moving-digits", number=3), IMAGES / "ode-path.png")


if __name__ == "__main__":
    main()
