"""What each part of a Hat Diffusion EBM adds: distance, precision and recall of its samples, part by part, and their cost.

Samples of G1, of the kernel after it, of stage one and of stage two are compared with real data in the features of a
classifier of our own, points as they are. Beside them stand as many other real data in the place of samples, and the
truncated diffusion by itself: real data hidden and brought back in one step as it was trained, in many steps, and in one step
after distillation. Of digits one half is compared with, and the other stands in the place of samples; both were trained on.
How evenly the classes (of points: the modes) are drawn is told by the total variation from the shares of the data. The cost is
counted in passes of a reference network: the seconds that a batch takes over those of one pass of a U-Net of 128 channels,
which is not the published one: compare with nothing published.

Runs are trained by their recipes where --runs has none: runs/toy-hat, runs/digits-hat, runs/fashion-hat.
"""

import json
from collections.abc import Callable
from pathlib import Path

import measuring
import torch
from eyes import Eyes
from measuring import Bench
from torch import Tensor

import unveil
from unveil.core.random import Streams
from unveil.data.points import Points
from unveil.mcmc import TruncatedKernel
from unveil.metrics import POINTS, extract_features, frechet_distance, precision_recall
from unveil.networks import UNet
from unveil.tasks.run import Run, load
from unveil.tasks.sample import STAGES, sample

RECIPES = ("toy-hat", "digits-hat", "fashion-hat")
SAMPLES, QUICK_SAMPLES, BATCH = 2000, 200, 32
STEP = "<= 1"  # of the distance of the part before
EVEN = {"toy-hat": "<= 0.06", "digits-hat": "< 0.15", "fashion-hat": "< 0.15"}  # total variation of refined samples


def opened(name: str, folder: Path, data: str | None, quick: bool) -> Run:
    """The run of a recipe, trained now where there is none."""
    if (folder / name / "weights.safetensors").is_file():
        return load(folder / name)
    if quick:
        return unveil.train(
            name, data=data, out=folder / f"{name}-quick", force=True, steps=4, overrides=["model.bank=128"]
        )
    return unveil.train(name, data=data, out=folder / name, resume=True)


def steps_of(run: Run) -> dict[str, int]:
    """How many steps each stage of a run has taken."""
    steps: dict[str, int] = {}
    for line in (run.path / "log.jsonl").read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        steps[found["stage"]] = found["step"]
    return steps


def real_of(run: Run, n: int) -> tuple[Tensor, Tensor]:
    """Real data to compare with, and as many others to stand in the place of samples."""
    if run.recipe.data.dimension is not None:
        both = Points().draw(2 * n, Streams(1, 2 * n))
        return both[:n], both[n:]
    spec = run.recipe.data
    part = "all" if spec.source == "digits" else "test"  # the test part of digits is too small to be halved
    images = unveil.open_images(spec.source, size=spec.size, channels=spec.channels, split=part)
    n = min(n, len(images) // 2)
    places = [i * len(images) // (2 * n) for i in range(2 * n)]
    x = images.batch(places)[0]
    return x[::2], x[1::2]


class Judge:
    """Compares samples with real data; measures tell whether each part does better than the one before."""

    def __init__(self, bench: Bench, run: Run, real: Tensor) -> None:
        self.bench, self.label = bench, run.recipe.name
        self.eyes = None if real.ndim == 2 else Eyes.of(run.recipe)
        self.reference, self.shares = self._features(real), self._shares(real)
        self.before: tuple[str, float] | None = None

    def _features(self, x: Tensor):
        if self.eyes is None:
            return extract_features(POINTS, x, split="given", levels=None)
        return extract_features(self.eyes.space, x, split="given", levels=self.eyes.levels)

    def _shares(self, x: Tensor) -> Tensor:
        """What share of samples is in each class, or at each mode."""
        if self.eyes is not None:
            return self.eyes.shares(x.clamp(-1, 1))
        centres = Points().centres
        return torch.bincount(torch.cdist(x, centres).argmin(1), minlength=len(centres)).double() / len(x)

    def look(self, name: str, x: Tensor, *, beside_before: bool = False, even: str = ">= 0") -> None:
        """Measure samples, and with `beside_before` the ratio of their distance to that of the samples before."""
        found = self._features(x)
        distance = frechet_distance(found, self.reference, groups=0).value
        precision, recall = precision_recall(found, self.reference)
        peer = self.before if beside_before else None
        self.bench.figure(
            f"{self.label}, {name}, Frechet distance", distance, "distance", STEP if peer else ">= 0",
            peer=peer[1] if peer else None, peer_name=peer[0] if peer else None,
        )  # fmt: skip
        self.bench.figure(f"{self.label}, {name}, precision", precision.value, "share", ">= 0")
        self.bench.figure(f"{self.label}, {name}, recall", recall.value, "share", ">= 0")
        uneven = float((self._shares(x) - self.shares).abs().sum()) / 2
        self.bench.figure(f"{self.label}, {name}, total variation of the shares", uneven, "share", even)
        if self.eyes is None:
            spread = float(torch.cdist(x, Points().centres).min(1).values.square().mean().div(2).sqrt())
            self.bench.figure(f"{self.label}, {name}, standard deviation within modes", spread, "length", ">= 0")
        self.before = name, distance


def of_kernels(run: Run, judge: Judge, others: Tensor) -> None:
    """The truncated diffusion by itself, on real data."""
    model = run.model
    last, schedule = model.distilled.until, model.distilled.schedule

    def moved(denoise: Callable[..., Tensor], steps: int) -> Tensor:
        with torch.no_grad():
            kernel = TruncatedKernel(denoise, schedule, last, steps)
            return torch.cat([kernel(part, Streams(0, len(part))) for part in others.split(256)])

    many = 64 if others.ndim == 2 else model.distilled.first_steps
    judge.look("data after one step of the diffusion", moved(model.diffusion.denoise, 1))
    judge.look("data after the distilled step", moved(model.distilled.student.denoise, 1), beside_before=True)
    judge.look(f"data after {many} steps of the diffusion", moved(model.diffusion.denoise, many))


def evaluations(bench: Bench, label: str, run: Run) -> None:
    """How many passes of a reference network a batch of each part costs."""
    shape = run.model.shape
    if len(shape) == 1:
        return
    sides = tuple(-(-side // 4) * 4 for side in shape[1:])
    options = {"channels": 32} if bench.quick else {"channels": 128, "mult": (1, 2, 2), "blocks": 2, "attention": (1,)}
    reference = UNet(shape[0], **{"mult": (1, 2), "blocks": 1, "attention": (1,), **options}).eval()
    x, t = torch.zeros(BATCH, shape[0], *sides), torch.full((BATCH,), 0.5)

    def drawn(stage: str) -> Callable[[], object]:
        return lambda: run.model.sample(BATCH, stage=stage, generator=Streams(0, BATCH))

    def asked() -> None:
        with torch.no_grad():
            reference(x, t)

    turns = {"reference": bench.timed(asked), **{stage: bench.timed(drawn(stage)) for stage in STAGES}}
    times = bench.contest(turns, rounds=3)
    for stage in STAGES:
        passes = times.median(stage) / times.median("reference")
        bench.figure(f"{label}, {stage}, passes of the reference", passes, "passes", "< 1000")


def measure(bench: Bench, name: str, options) -> None:
    run = opened(name, options.runs, options.data if name == "fashion-hat" else None, bench.quick)
    for stage, steps in steps_of(run).items():
        bench.figure(f"{name}, stage {stage}, trained for", steps, "steps", "> 0")
    real, others = real_of(run, QUICK_SAMPLES if bench.quick else options.samples)
    judge = Judge(bench, run, real)
    judge.look("real data in their place", others)
    of_kernels(run, judge, others)
    judge.before = None
    for stage in STAGES:
        even = EVEN[name] if stage in ("one", "two") else ">= 0"
        judge.look(stage, sample(run, len(real), stage=stage, batch=256), beside_before=stage != STAGES[0], even=even)
    evaluations(bench, name, run)


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=Path, default=Path("runs"), help="where the runs are, or will be")
    arguments.add_argument("--data", help="the folder of Fashion-MNIST; without it fashion-hat is left out")
    arguments.add_argument("-n", "--samples", type=int, default=SAMPLES, help=f"of each part ({SAMPLES})")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    for name in RECIPES:
        if bench.wants(name) and (name != "fashion-hat" or options.data):
            measure(bench, name, options)


if __name__ == "__main__":
    main()
