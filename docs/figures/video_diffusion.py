"""docs/images/video-diffusion.gif and .png: what one model does with clips that it has not seen.

A row is a clip as it was, and what the model makes of it on each of its tasks; frames that are known have a blue border.
With `--run RUN` the model is taken from a run that is there.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor
from trained import IMAGES, as_published

import unveil
from unveil.data import open_videos, save_animation, save_images, strip

CLIPS, LONGER, SIDE = 8, 8, 2  # clips that are shown, frames that are predicted and recalled, enlargement
KNOWN, MADE = (-0.45, -0.06, 0.57), (1.0, 1.0, 1.0)
FPS = 5.0


def bordered(x: Tensor, colour: tuple[float, float, float]) -> Tensor:
    """Grey frames (B, 1, H, W), in colour and with a border."""
    wide = torch.tensor(colour).reshape(1, 3, 1, 1).expand(len(x), 3, x.shape[2] + 2, x.shape[3] + 2).clone()
    wide[..., 1:-1, 1:-1] = x
    return wide


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--run", type=Path)
    given = options.parse_args()
    run = unveil.load(given.run) if given.run else as_published("moving-digits-mcvd-concat")
    model = run.model
    p, k, f = model.p, model.k, model.f
    length = p + LONGER
    clips = open_videos("moving-digits", frames=length, size=16, digits=1, split="test").batch(range(CLIPS))[0]

    def streams(seed: int) -> unveil.Streams:
        return unveil.Streams(seed, CLIPS)

    past, future = clips[:, :p], clips[:, -f:]
    rows: dict[str, tuple[Tensor, set[int]]] = {"a clip": (clips, set(range(length)))}
    predicted = model.predict(past, LONGER, generator=streams(1))
    rows["future"] = torch.cat([past, predicted], 1), set(range(p))
    recalled = model.predict_past(future, length - f, generator=streams(2))
    rows["past"] = torch.cat([recalled, future], 1), set(range(length - f, length))
    between = model.interpolate(past, clips[:, p + k : p + k + f], generator=streams(3))
    rows["between"] = torch.cat([past, between, clips[:, p + k :]], 1), set(range(length)) - set(range(p, p + k))
    rows["nothing"] = model.generate(CLIPS, length, generator=streams(4)), set()

    frames = []
    for t in range(length):
        sheet = [bordered(video[:, t], KNOWN if t in known else MADE) for video, known in rows.values()]
        frames.append(torch.cat(sheet))
    animation = [x.repeat_interleave(SIDE, -1).repeat_interleave(SIDE, -2) for x in frames]
    name = "video-diffusion.gif"
    save_animation(animation, IMAGES / name, fps=FPS, hold=0.2, columns=CLIPS, scale=1, padding=1, force=True)
    strips = [strip(video[i], known=known, scale=2) for i in range(2) for video, known in rows.values()]
    save_images(torch.cat(strips, 1), IMAGES / "video-diffusion.png", force=True)


if __name__ == "__main__":
    main()
