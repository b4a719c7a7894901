"""Precision and recall of the four digits recipes in pixel space, beside held-out real digits as the ceiling.

Every recipe is trained as it is written (or taken from --runs), as many samples are drawn as there are held-out digits,
and both are compared with these: k = 3, pixel space. The ceiling puts as many real training digits in the place of the
samples, for nothing can look more like digits than digits.
"""

import statistics
import time
from pathlib import Path

import measuring
import torch
from measuring import Bench

import unveil
from unveil.metrics import PIXELS, Features, extract_features, precision_recall

RECIPES = ("digits-ddpm", "digits-free-field", "digits-smld", "digits-free-field-smld")
DRAWS = 5  # of real digits, and of samples
QUICK_STEPS = 60


def features(x: torch.Tensor, split: str) -> Features:
    return extract_features(PIXELS, x, split=split, levels=17)


def scores(fakes: list[torch.Tensor], real: torch.Tensor) -> tuple[float, float]:
    """Precision and recall, averaged over several sets of samples."""
    reference = features(real, "test")
    found = [precision_recall(features(x, "samples"), reference) for x in fakes]
    return statistics.mean(p.value for p, _ in found), statistics.mean(r.value for _, r in found)


def train(name: str, folder: Path, quick: bool) -> tuple[unveil.Run, float, float]:
    """The run of a recipe, and the wall and CPU seconds of training; nan where it was there already."""
    place = folder / name
    if (place / "weights.safetensors").is_file():
        return unveil.load(place), float("nan"), float("nan")
    wall, cpu = time.perf_counter(), time.process_time()
    run = unveil.train(name, out=place, steps=QUICK_STEPS if quick else None, overrides=["training.sample_every=0"])
    return run, time.perf_counter() - wall, time.process_time() - cpu


def measure(bench: Bench, name: str, folder: Path, ceiling: tuple[float, float], real: torch.Tensor) -> None:
    run, wall, cpu = train(name, folder, bench.quick)
    if wall == wall:
        bench.figure(f"{name}, training, wall", wall, "s", "< 600")
        bench.figure(f"{name}, training, cpu", cpu, "s", "< 1200")
    fakes = [unveil.sample(run, len(real), seed=seed) for seed in range(1 if bench.quick else DRAWS)]
    label = f"{name}, after {QUICK_STEPS} steps only" if bench.quick else name
    for what, ours, top in zip(("precision", "recall"), scores(fakes, real), ceiling, strict=True):
        bench.figure(f"{label}, {what}", ours, "share", ">= 0.8", peer=top, peer_name="held-out real digits")


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=Path, default=Path("runs/digits-quality"), help="where runs are, or shall be")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    folder = options.runs / "quick" if options.quick else options.runs
    real = unveil.open_images("digits", split="test")
    others = unveil.open_images("digits", split="train")
    held_out = real.batch(range(len(real)))[0]
    draws = [
        torch.randperm(len(others), generator=torch.Generator().manual_seed(seed))[: len(real)].tolist()
        for seed in range(DRAWS)
    ]
    ceiling = scores([others.batch(index)[0] for index in draws], held_out)
    for what, value in zip(("precision", "recall"), ceiling, strict=True):
        bench.figure(f"held-out real digits, {what} (the ceiling)", value, "share", "> 0")
    for name in RECIPES:
        if bench.wants(name):
            measure(bench, name, folder, ceiling, held_out)


if __name__ == "__main__":
    main()
