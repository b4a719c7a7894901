"""Four priors of restoration-based models on eight Gaussians: modes found, samples close to one, distance to fresh points.

Every prior trains the same small generator on the same 4,000 points, as the recipe toy-rgm-NAME says, and samples are
drawn in four steps. A sample counts as close within 3 standard deviations of a centre; a mode is found where 1% of all
samples are close to it. The ceiling draws real points in place of samples. With --picture the samples are also drawn, as
docs/images/toy_rgm.png shows them.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import measuring
import torch
from measuring import Bench

from unveil.core.random import Streams
from unveil.data.points import Points
from unveil.divergences import sliced_wasserstein, unit_directions
from unveil.recipes import resolve
from unveil.recipes.build import build_model
from unveil.training.trainer import fit

QUICK_STEPS, SAMPLES = 150, 4000
PRIORS = ("mmse", "kld", "mmd", "dswd")  # of the recipes toy-rgm-...
GOALS = {"close": ">= 0.7", "modes": ">= 1"}  # of what real points reach
BEYOND = ">= 0.5"  # how much larger the share of close samples is than with mmse


@dataclass(frozen=True)
class Scores:
    """How samples fit the Gaussians: the share close to a centre, modes found, the rarest one's share, the distance."""

    close: float
    modes: int
    rarest: float
    distance: float


def score(x: torch.Tensor, points: Points) -> Scores:
    nearest = torch.cdist(x, points.centres).min(dim=1)
    close = nearest.values < 3 * points.std
    shares = torch.bincount(nearest.indices[close], minlength=points.modes) / len(x)
    fresh = points.draw(len(x), Streams(1, len(x)))
    distance = sliced_wasserstein(x, fresh, unit_directions(500, 2, torch.Generator().manual_seed(0)))
    return Scores(close.float().mean().item(), int((shares >= 0.01).sum()), shares.min().item(), distance.item())


def train(name: str, points: Points, steps: int | None, seed: int) -> tuple[torch.nn.Module, float]:
    """The recipe's trained model, and the CPU seconds it took."""
    recipe = resolve(f"toy-rgm-{name}", [f"training.seed={seed}"])
    model = build_model(recipe, points.shape)
    begin = time.process_time()
    fit(model, points, steps or recipe.training.steps, recipe.training.options(), progress=False, device="cpu")
    return model, time.process_time() - begin


def report(bench: Bench, name: str, found: dict[str, Scores], ceiling: Scores) -> None:
    label = f"{name}, after {QUICK_STEPS} steps only" if bench.quick else name
    goals = {} if name == "mmse" else GOALS
    for what, unit in (("close", "share"), ("modes", "of 8"), ("rarest", "share"), ("distance", "SW_2")):
        ours, top = float(getattr(found[name], what)), float(getattr(ceiling, what))
        bench.figure(f"{label}, {what}", ours, unit, goals.get(what, ">= 0"), peer=top, peer_name="fresh real points")
    if name != "mmse" and "mmse" in found:
        mean = found["mmse"]
        bench.figure(f"{label}, close beyond mmse", found[name].close - mean.close, "share", BEYOND)
        bench.figure(
            f"{label}, distance beside mmse", found[name].distance, "SW_2", "< 1", peer=mean.distance, peer_name="mmse"
        )


def draw(samples: dict[str, torch.Tensor], path: Path) -> None:
    """A panel of points for each set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(samples), figsize=(2 * len(samples), 2.2), dpi=100, layout="constrained")
    for panel, (name, x) in zip(panels, samples.items(), strict=True):
        panel.scatter(*x[:2000].T, s=0.6, color="C0" if name != "data" else "0.3", linewidths=0)
        panel.set(xlim=(-2.8, 2.8), ylim=(-2.8, 2.8), xticks=[], yticks=[], title=name, aspect="equal")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument(
        "--picture", type=Path, help="draw the samples in this file, such as docs/images/toy_rgm.png"
    )
    arguments.add_argument("--seed", type=int, default=0, help="of the training (0)")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    points = Points()
    ceiling = score(points.draw(SAMPLES, Streams(2, SAMPLES)), points)
    samples = {"data": points.points}
    found: dict[str, Scores] = {}
    for name in PRIORS:
        if not bench.wants(name):
            continue
        model, seconds = train(name, points, QUICK_STEPS if bench.quick else None, options.seed)
        samples[name.upper()] = x = model.sample(SAMPLES, generator=Streams(3, SAMPLES))
        found[name] = score(x, points)
        report(bench, name, found, ceiling)
        bench.figure(f"{name}, training, cpu", seconds, "s", "< 300")
    if options.picture is not None:
        draw(samples, options.picture)


if __name__ == "__main__":
    main()
