"""One model on four tasks of video, beside repeating the nearest known frame, blending, and models of a single task.

Every model is the recipe moving-digits-mcvd-concat with other masks: the one of all tasks masks past and future half of
the time each, those of a single task always or never; they cost the same. Held-out clips are predicted, recalled and
interpolated, of ten trajectories the best counts (by each metric for itself), and blocks are generated. Clips in which
nothing moves are left out, for copying makes them without error. With --run the model of all tasks is one that has been
trained before; with --tasks-only no other is trained.
"""

import time
from argparse import Namespace
from pathlib import Path

import measuring
import torch
from measuring import Bench
from torch import Tensor

import unveil
from unveil.core.random import Streams
from unveil.metrics.clips import Trial, measure_clips
from unveil.metrics.frechet_video import measure_frechet, random_clip_space
from unveil.models.video_diffusion import VideoDiffusion, by_task
from unveil.recipes import resolve
from unveil.recipes.build import build_data, build_model
from unveil.training.trainer import fit

RECIPE = "moving-digits-mcvd-concat"
MASKS = {"predict": (0, 1), "past": (1, 0), "interpolate": (0, 0), "generate": (1, 1)}
QUICK = ["training.steps=20", "model.network.channels=8"]
UNITS = {"psnr": "dB", "ssim": ""}


def train(options: Namespace, bench: Bench, masks: tuple[float, float]) -> VideoDiffusion:
    """The recipe with other masks, trained here."""
    changes = [f"model.mask_past={masks[0]}", f"model.mask_future={masks[1]}"]
    if bench.quick:
        changes += QUICK
    if options.steps:
        changes.append(f"training.steps={options.steps}")
    recipe = resolve(RECIPE, changes)
    data = build_data(recipe)
    model = build_model(recipe, data.shape)
    begin = time.process_time()
    fit(model, data, recipe.training.steps, recipe.training.options(), progress=False, device="cpu")
    bench.figure(f"training with masks {masks}, cpu", time.process_time() - begin, "s", "< 2400")
    return model.eval()


def truth_of(task: str, clips: Tensor, model: VideoDiffusion) -> tuple[Tensor | None, Tensor | None, Tensor]:
    """Past, future and what is between, or as many frames as a clip has after the past, or before the future."""
    p, k, f = model.p, model.k, model.f
    match task:
        case "predict":
            return clips[:, :p], None, clips[:, p:]
        case "past":
            return None, clips[:, -f:], clips[:, :-f]
        case _:
            return clips[:, :p], clips[:, p + k :], clips[:, p : p + k]


def without_a_model(task: str, past: Tensor | None, future: Tensor | None, frames: int) -> dict[str, Tensor]:
    """Clips that need no model: the nearest known frame again and again, and a blend of the two around a gap."""
    if past is None or future is None:
        nearest = past[:, -1:] if past is not None else future[:, :1]
        return {"nearest frame": nearest.expand(-1, frames, -1, -1, -1)}
    share = (torch.arange(frames) + 1).reshape(1, -1, 1, 1, 1) / (frames + 1)
    before, after = past[:, -1:], future[:, :1]
    return {"nearest frame": torch.where(share <= 0.5, before, after), "blend": before * (1 - share) + after * share}


def draw(
    model: VideoDiffusion, task: str, past: Tensor | None, future: Tensor | None, n: int, count: int, steps: int
) -> Tensor:
    """Trajectories of a task, (B, count, n, C, H, W)."""
    known = past if past is not None else future
    walk = {"steps": steps, "generator": Streams(0, len(known)), "trajectories": count}
    match task:
        case "predict":
            return model.predict(past, n, **walk)
        case "past":
            return model.predict_past(future, n, **walk)
        case _:
            return model.interpolate(past, future, **walk)


def judge(bench: Bench, options: Namespace, models: dict[str, VideoDiffusion], task: str, clips: Tensor) -> None:
    """Figures of one task that has a true answer."""
    general = models["all tasks"]
    past, future, truth = truth_of(task, clips, general)
    frames, count = truth.shape[1], options.trajectories
    made = {name: clip[:, None] for name, clip in without_a_model(task, past, future, frames).items()}
    for name, model in models.items():
        made[name] = draw(model, task, past, future, frames, count, options.walk)
    for best in (False, True):
        scores = {}
        for name, found in made.items():
            chosen = found if best else found[:, :1]
            trial = Trial(task, truth.shape[1], frames, general.k, chosen.shape[1], options.walk, "ddim")
            scores[name] = measure_clips(chosen, truth, trial, split="test")
        how = f"best of {count}" if best else "first trajectory"
        for metric, unit in UNITS.items():
            ours = scores["all tasks"][metric].value
            for name in scores:
                if name != "all tasks":
                    goal = ">= 1" if name in ("nearest frame", "blend") else ">= 0"
                    value = scores[name][metric].value
                    bench.figure(f"{task}, {metric}, {how}", ours, unit, goal, peer=value, peer_name=name)


def judge_generation(bench: Bench, options: Namespace, models: dict[str, VideoDiffusion], clips: Tensor) -> None:
    """How far blocks from nothing are from real ones, beside other real ones."""
    k, space = models["all tasks"].k, random_clip_space()
    half = len(clips) // 2
    real, fresh = clips[:half, :k], clips[half:, :k]

    def distance(x: Tensor) -> float:
        return measure_frechet(x[:, None], real, space, split="test")["all"].value

    found = {
        name: distance(model.generate(half, steps=options.walk, generator=Streams(0, half)))
        for name, model in models.items()
    }
    for name, value in {"fresh real clips": distance(fresh), **found}.items():
        if name != "all tasks":
            bench.figure(f"generate, {space.name} distance", found["all tasks"], "", ">= 0", peer=value, peer_name=name)


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--run", type=Path, help="a trained run to take for the model of all tasks")
    arguments.add_argument("--tasks-only", action="store_true", help="train no models of single tasks")
    arguments.add_argument("--steps", type=int, help="of each training; the recipe's without it")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    options.trajectories, options.walk = (2, 5) if bench.quick else (10, 50)
    general = unveil.load(options.run, device="cpu").model if options.run else train(options, bench, (0.5, 0.5))
    data = build_data(resolve(RECIPE), split="test")
    clips = data.batch(range(10 if bench.quick else 80))[0]
    moves = (clips != clips[:, :1]).flatten(1).any(1)
    clips = clips[moves][: 8 if bench.quick else 64]
    for task, error in by_task(general, clips, Streams(0, len(clips))).items():
        bench.figure(f"{task}, error of estimates in the noisier half of time", error.error, "", "< 0.2")
    for task, masks in MASKS.items():
        if not bench.wants(task):
            continue
        models = {"all tasks": general}
        if not options.tasks_only:
            models["a model of this task alone"] = train(options, bench, masks)
        if task == "generate":
            judge_generation(bench, options, models, data.batch(range(1000, 1016 if bench.quick else 1512))[0])
        else:
            judge(bench, options, models, task, clips)


if __name__ == "__main__":
    main()
