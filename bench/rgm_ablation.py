"""The ablations of restoration-based models, small, on digits: Frechet distances beside the published order.

Every line trains the recipe digits-rgm-d with one change, as long as all the others. Samples are compared with all digits in
the features of a classifier that was trained on them, so these distances are no FID, and compare with each other only.
Below each stands how many times the distance of the whole model it is, and beside that the same of the FID published for
CIFAR-10; the goal is that a change moves ours the same way.
"""

import time
from dataclasses import dataclass

import measuring
import torch
from eyes import Eyes
from measuring import Bench

import unveil
from unveil.core.random import Streams
from unveil.data import Images
from unveil.metrics import Features, FeatureSpace, extract_features, frechet_distance
from unveil.recipes import resolve
from unveil.recipes.build import build_model
from unveil.training.trainer import fit

STEPS, QUICK_STEPS = 1200, 20
SAMPLES, QUICK_SAMPLES = 1797, 200
RECIPE = "digits-rgm-d"


@dataclass(frozen=True)
class Ablation:
    """A change of the recipe.

    Attributes:
        changes: what differs from the recipe.
        published: FID on CIFAR-10 with it; None where none was published.
        against: which of them the paper compares it with.
    """

    changes: tuple[str, ...]
    published: float | None
    against: str = "full"


SR = "model.degradation={kind: super-resolution, steps: 5}"
NAIVE = "model.degradation={kind: naive-super-resolution, steps: 2}"
ABLATIONS = {
    "full": Ablation((), 3.04),
    "no fidelity": Ablation(("model.fidelity_weight=0",), 32.5),
    "no latent": Ablation(("model.latent=false",), 3.87),
    "one step": Ablation(("model.degradation.steps=1",), 14.6),
    "eight steps": Ablation(("model.degradation.steps=8",), 6.50),
    "posterior": Ablation(("model.sampling=posterior",), 3.52),
    "data matched directly": Ablation(("model.match=data",), 21.2),
    "mmse": Ablation(("model.prior={kind: mmse}", "model.fidelity_weight=0", "training.players={}"), None),
    "SR": Ablation((SR,), 2.47),
    "SR naive": Ablation((NAIVE,), 3.17, "SR"),
}


def train(ablation: Ablation, data: Images, steps: int) -> tuple[torch.nn.Module, float]:
    """The model, and the CPU seconds it took."""
    recipe = resolve(RECIPE, ablation.changes)
    model = build_model(recipe, data.shape, data.classes)
    begin = time.process_time()
    fit(model, data, steps, recipe.training.options(), progress=False, device="cpu")
    return model, time.process_time() - begin


def distance(model: torch.nn.Module, space: FeatureSpace, real: Features, n: int, levels: int | None) -> float:
    """Of n samples from the real digits."""
    parts = [range(start, min(start + 256, n)) for start in range(0, n, 256)]
    x = torch.cat([model.sample(len(part), generator=Streams(0, part)) for part in parts])
    return frechet_distance(extract_features(space, x, split="generated", levels=levels), real, groups=0).value


def report(bench: Bench, label: str, name: str, found: dict[str, float]) -> None:
    """The distance, and how it compares where the paper compares too."""
    ablation = ABLATIONS[name]
    bench.figure(f"{label}, Frechet distance", found[name], "distance", ">= 0")
    base = ABLATIONS[ablation.against]
    if name == ablation.against or ablation.against not in found:
        return
    theirs = None if ablation.published is None or base.published is None else ablation.published / base.published
    goal = "> 1" if theirs is None or theirs > 1 else "< 1"
    ratio = found[name] / found[ablation.against]
    bench.figure(f"{label}, times that of {ablation.against}, ours and published", ratio, "times", goal, peer=theirs)


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--steps", type=int, default=None, help=f"of each training ({STEPS})")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    steps = options.steps or (QUICK_STEPS if bench.quick else STEPS)
    data, everything = unveil.open_images("digits"), unveil.open_images("digits", split="all")
    space = Eyes.of(resolve(RECIPE)).space
    real = extract_features(space, everything, split="all", levels=everything.levels)
    found: dict[str, float] = {}
    for name, ablation in ABLATIONS.items():
        if not bench.wants(name):
            continue
        model, seconds = train(ablation, data, steps)
        n = QUICK_SAMPLES if bench.quick else SAMPLES
        found[name] = distance(model, space, real, n, everything.levels)
        label = f"{name}, after {steps} steps"
        report(bench, label, name, found)
        bench.figure(f"{label}, training, cpu", seconds, "s", "< 300")


if __name__ == "__main__":
    main()
