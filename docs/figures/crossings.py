"""docs/images/crossings-*.png: what the systems lend each other.

    python docs/figures/crossings.py [--runs FOLDER] [PART ...]

Trains what is not in the folder of runs (runs/ without it); parts are solvers, refined, video and strange.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from torch import Tensor
from trained import IMAGES, RUNS, SHORT, save, smooth

import unveil
from unveil.data import open_videos, save_images, strip
from unveil.data.shuffling import shuffle_patches
from unveil.inverse import ddrm
from unveil.metrics import auroc, psnr
from unveil.models.video_diffusion import by_task
from unveil.models.video_diffusion.folding import fold, unfold
from unveil.operators import Mask
from unveil.tasks.measurements import build, parse
from unveil.tasks.restore import prior_of, solve

SOLVERS = ("half-quadratic", "douglas-rachford", "ddrm", "posterior")
OPERATORS = ("mask:0.5", "downsample:2", "blur:box:3,noise:0.02", "noise:0.2")
DIGIT = (1, 8, 8)
SCENE = ["data.size=16", "data.crop=random", "data.resize=false", "model.network.mult=1,2", "model.network.attention=1",
         "model.predict=v", "training.batch_size=16", "training.lr=1e-3", "training.warmup=50", "training.decay=cosine",
         "training.ema=0.99", "training.sample_every=0"]  # fmt: skip


options = argparse.ArgumentParser()
options.add_argument("--runs", type=Path, default=RUNS)
options.add_argument("parts", nargs="*")
given = options.parse_args()


def of(recipe: str) -> unveil.Run:
    """A recipe as it is."""
    return unveil.train(recipe, out=given.runs / recipe, resume=True)


def short(recipe: str, steps: int = 1200, overrides: list[str] = SHORT) -> unveil.Run:
    """A recipe with fewer steps, for digits with labels too: about two minutes on one core."""
    return unveil.train(recipe, out=given.runs / f"short-{recipe}", resume=True, steps=steps, overrides=overrides)


def digits(n: int) -> Tensor:
    """Held-out digits."""
    return unveil.open_images("digits", split="test").batch(range(n))[0]


def solvers(shown: int = 4, n: int = 32) -> None:
    """Three denoisers in four solvers, and PSNRs."""
    x, noise = digits(n), torch.Generator().manual_seed(1)
    runs = {
        "white noise": short("digits-ddpm"),
        "smooth noise": short("digits-free-field"),
        "of a Hat": of("digits-hat"),
    }
    figure, panels = plt.subplots(len(runs), 6, figsize=(11, 1.9), dpi=100, layout="constrained")
    for operator in OPERATORS:
        measurement = parse(operator)
        a = build(measurement, DIGIT, canvas=DIGIT, seed=0)
        y = a.forward(x)
        y = y + measurement.sigma * torch.randn(y.shape, generator=noise)
        plain = (y if y.shape == x.shape else a.pinv(y)).clamp(-1, 1)
        print(f"{operator}: without a run {psnr(plain, x).mean():.1f} dB")
        for row, (name, run) in enumerate(runs.items()):
            found = {"measured": plain}
            for solver in SOLVERS:
                answer = solve(
                    prior_of(run, DIGIT), y, a, sigma_y=measurement.sigma, solver=solver, generator=unveil.Streams(0, n)
                )
                found[solver] = answer.clamp(-1, 1)
            print(f"  {name}:", ", ".join(f"{s} {psnr(found[s], x).mean():.1f}" for s in SOLVERS))
            for column, (what, images) in enumerate({**found, "digits": x}.items()):
                if operator == OPERATORS[0]:
                    panel = panels[row, column]
                    panel.imshow(torch.cat(list(smooth(images[:shown])[:, 0]), 1), cmap="gray", vmin=-1, vmax=1)
                    panel.set(title=what if row == 0 else "", xticks=[], yticks=[])
                    if column == 0:
                        panel.set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(IMAGES / "crossings-solvers.png")


def refined() -> None:
    """Samples of a single-image model, and proposals of a Hat, moved by plain diffusions."""
    photo = of("single-image")
    unveil.save_images(photo.model.pyramid[-1][0], given.runs / "scene.png", force=True)
    scene = unveil.train(
        "photos-diffusion",
        data=given.runs / "scene.png",
        out=given.runs / "scene",
        resume=True,
        steps=1200,
        overrides=SCENE,
    )
    drawn = unveil.sample(photo, 3, seed=3)
    moved = [
        unveil.refine(scene, drawn, until=until, steps=steps, repeats=repeats, keep_size=True).images
        for until, steps, repeats in ((20, 6, 2), (100, 20, 1))
    ]
    save(torch.cat([drawn, *moved]), "crossings-refined.png", columns=3)
    hat, plain = of("digits-hat"), short("digits-ddpm")
    rough = unveil.sample(hat, 16, stage="proposal")
    rows = [rough, unveil.refine(plain, rough).images, unveil.sample(hat, 16, stage="one")]
    rows.append(unveil.refine(plain, rows[-1]).images)
    save(smooth(torch.cat(rows), 4), "crossings-refined-digits.png", columns=16)


def video(n: int = 24) -> None:
    """Smooth noise, codes and a hole in clips."""
    clips = open_videos("moving-digits", frames=7, size=16, digits=1, split="test").batch(range(n))[0]
    past, block, future = clips.split([2, 3, 2], 1)
    rows, ends = [(clips, set(range(7)))], {0, 1, 5, 6}
    smooth_noise = short("moving-digits-mcvd-free-field", 8000, ["training.sample_every=0"])
    for run in (of("moving-digits-mcvd-concat"), smooth_noise, of("moving-digits-codec-mcvd")):
        model = run.model
        between = model.interpolate(past, future, generator=unveil.Streams(0, n))
        print(f"{run.path.name}: between {psnr(between.flatten(0, 1), block.flatten(0, 1)).mean():.1f} dB")
        print({task: round(error.error, 3) for task, error in by_task(model, clips, unveil.Streams(0, n)).items()})
        rows.append((torch.cat([past, between, future], 1), ends))
    hole = torch.ones(16, 16)
    hole[:, 5:11] = 0
    covered = Mask(hole).forward(fold(block))
    model = of("moving-digits-mcvd-concat").model
    filled = ddrm(model.prior(past, future), covered, Mask(hole), generator=unveil.Streams(0, n))
    for images in (covered, filled):
        frames = unfold(images.clamp(-1, 1), 3)
        print(f"a hole: {psnr(frames.flatten(0, 1), block.flatten(0, 1)).mean():.1f} dB")
        rows.append((torch.cat([past, frames, future], 1), ends))
    strips = [torch.cat([strip(x[i], known=known, scale=2) for i in (0, 1)], -1) for x, known in rows]
    save_images(torch.cat(strips, 1 if strips[0].ndim == 3 else 2), IMAGES / "crossings-video.png", force=True)


def strange(n: int = 96) -> None:
    """Bits of the same digits by a diffusion and by a flow; how well bits and energies tell what is strange."""
    images, random = unveil.open_images("digits", split="test"), torch.Generator().manual_seed(0)
    x = images.batch(range(n))[0]
    photos = unveil.open_images("photos", size=8, channels=1, resize=False, split="all").batch(range(n))[0]
    kinds = {
        "mirrored": x.flip(-1), "on their side": x.rot90(1, (-2, -1)),
        "squares shuffled": shuffle_patches(x, 2, unveil.Streams(0, n)),
        "negatives": -x, "photographs": photos, "noise": torch.rand(x.shape, generator=random) * 2 - 1,
        "one grey": (torch.rand(n, 1, 1, 1, generator=random) * 2 - 1).expand_as(x),
    }  # fmt: skip
    kinds = {name: ((pictures + 1) * 8).round() / 8 - 1 for name, pictures in kinds.items()}
    plain, flow, hat = short("digits-ddpm"), of("digits-mrcnf"), of("digits-hat").model
    bits = [unveil.likelihood(run, images, n=n).each for run in (plain, flow)]
    print(f"bits: diffusion {bits[0].mean():.2f}, flow {bits[1].mean():.2f}")

    def scores(pictures: Tensor) -> tuple[Tensor, Tensor]:
        spread = flow.model.dequantise(pictures, unveil.Streams(0, n))
        with torch.no_grad():
            return -flow.model.log_likelihood(spread, generator=unveil.Streams(1, n)).nats, hat.judge(pictures)

    usual = scores(x)
    areas = {
        name: [auroc(a, b) for a, b in zip(usual, scores(pictures), strict=True)] for name, pictures in kinds.items()
    }
    for name, (by_bits, by_energy) in areas.items():
        print(f"{name}: {by_bits:.2f} by bits, {by_energy:.2f} by energy")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), dpi=90, layout="constrained")
    left.scatter(*bits, s=8)
    ends = [min(map(float, map(torch.min, bits))), max(map(float, map(torch.max, bits)))]
    left.plot(ends, ends, color="0.7", linewidth=1)
    left.set(xlabel="bits/dim by the diffusion", ylabel="bits/dim by the flow", title="the same digits", aspect="equal")
    places = torch.arange(len(areas))
    for i, name in enumerate(("bits of the flow", "energy of the Hat")):
        right.barh(places + 0.4 * i, [pair[i] for pair in areas.values()], 0.38, label=name)
    right.axvline(0.5, color="0.5", linewidth=1)
    right.set(yticks=places + 0.2, yticklabels=list(areas), xlim=(0, 1), title="area under the curve")
    right.legend(loc="lower center", bbox_to_anchor=(0.5, -0.4), ncols=2, frameon=False)
    figure.savefig(IMAGES / "crossings-strange.png")


PARTS = {"solvers": solvers, "refined": refined, "video": video, "strange": strange}
for part in given.parts or PARTS:
    PARTS[part]()
