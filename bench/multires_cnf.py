"""Flows of one, two and three resolutions: bits per dimension, weights, seconds and evaluations; transforms; strange pictures.

Every model is trained for the same CPU seconds on the same pictures, by the same recipe but for what its line says. Bits are
measured with the tight solver of the recipe on held-out pictures. Strangeness is told by the area under the curve of two
scores: bits, and bits beyond those of a lossless file, of held-out ordinary pictures against others. Without --data, the
digits that come with scikit-learn are learned; with Fashion-MNIST (--data) and MNIST (--strange) the tables are those of the
paper made small, and --photos adds crops of photographs of 64 pixels, where several resolutions should pay.
"""

import time
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import measuring
import torch
from measuring import Bench
from torch import Tensor

from unveil.core.random import Streams
from unveil.data import Images, open_images
from unveil.data.shuffling import shuffle_patches
from unveil.metrics import auroc, lossless_bits
from unveil.models.multires_cnf import MultiResolutionCNF
from unveil.recipes import resolve
from unveil.recipes.build import build_model
from unveil.training.feed import Feed
from unveil.training.learning_rate import learning_rate
from unveil.training.processes import Processes

VARIANTS = {
    "1 resolution": ["model.resolutions=1"],
    "2 resolutions": ["model.resolutions=2"],
    "3 resolutions": ["model.resolutions=3"],
    "2 resolutions, haar, not standardised": ["model.resolutions=2", "model.transform=haar", "model.standardise=false"],
    "2 resolutions, not standardised": ["model.resolutions=2", "model.standardise=false"],
}


def train(model: MultiResolutionCNF, images: Images, options: list[str], seconds: float) -> Iterator[tuple[str, int]]:
    """Train every resolution for an equal share of the seconds that a process computes; yields the steps of each."""
    recipe = resolve("digits-mrcnf", [*options, "training.decay=constant"])
    training, here = recipe.training.options(), Processes.join("cpu")
    stages = list(model.stages(10**9))
    for index, stage in enumerate(stages):
        (player,) = stage.players.values()
        optimizer = torch.optim.Adam(player.parameters(), lr=training.lr)
        feed, begin = Feed(images, training, index, here), time.process_time()
        for step in count():
            gone = (time.process_time() - begin) / (seconds / len(stages))
            if gone >= 1:
                break
            rate = learning_rate(step, 10**9, training) * min(1.0, 4 * (1 - gone))  # falls in the last quarter
            optimizer.param_groups[0]["lr"] = rate
            (batch,) = feed.parts(step)
            for move in stage.moves(batch):
                optimizer.zero_grad()
                move.loss.backward()
                torch.nn.utils.clip_grad_norm_(player.parameters(), training.clip)
                optimizer.step()
        yield stage.name, step
    model.eval()


def told(model: MultiResolutionCNF, x: Tensor) -> tuple[Tensor, float]:
    """Bits per dimension of pixels, and evaluations of a network for each of them."""
    streams = Streams(0, len(x))
    found = model.log_likelihood(model.dequantise(x, streams), generator=streams, trace="hutchinson")
    return found.bits_per_dim(levels=model.levels.count), found.evaluations


def table(
    bench: Bench, what: str, images: Images, test: Tensor, options: list[str], seconds: float, claim: str
) -> dict[str, MultiResolutionCNF]:
    """A model of each variant that fits, and its figures; the claim is for the bits of several resolutions beside one's."""
    models, bits = {}, {}
    for name, changes in VARIANTS.items():
        recipe = resolve("digits-mrcnf", [*options, *changes])
        sides = images.shape[1:]
        if any(side % 2 ** (recipe.model.resolutions - 1) for side in sides) or not bench.wants(f"{what}, {name}"):
            continue
        model = build_model(recipe, images.shape)
        begin = time.process_time()
        steps = dict(train(model, images, [*options, *changes], seconds))
        spent = time.process_time() - begin
        each, evaluations = told(model, test)
        models[name], bits[name] = model, float(each.mean())
        label = f"{what}, {name}"
        weights = sum(value.numel() for value in model.parameters())
        peer = bits.get("1 resolution") if name != "1 resolution" else None
        bench.figure(
            f"{label}, bits per dimension", bits[name], "bits/dim", claim if peer else "> 0", peer=peer,
            peer_name="1 resolution" if peer else None,
        )  # fmt: skip
        bench.figure(f"{label}, weights", float(weights), "weights", "> 0")
        bench.figure(f"{label}, training, cpu, {'+'.join(map(str, steps.values()))} steps", spent, "s", "> 0")
        bench.figure(f"{label}, evaluations of a likelihood", float(evaluations), "calls", "> 0")
    return models


def strange(bench: Bench, what: str, model: MultiResolutionCNF, ordinary: Tensor, others: dict[str, Tensor]) -> None:
    """The area under the curve of both scores."""

    def scores(x: Tensor) -> tuple[Tensor, Tensor]:
        bits = told(model, x)[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bits, bits - lossless_bits(model.levels.numbers(x).to(torch.uint8))

    usual = scores(ordinary)
    for name, x in others.items():
        found = scores(x)
        for score, mine, theirs in zip(("bits", "bits beyond a file's"), usual, found, strict=True):
            goal = ">= 0.9" if score != "bits" else ">= 0"
            bench.figure(f"{what} against {name}, by {score}", auroc(mine, theirs), "AUROC", goal)
    tall = ordinary.shape[-1]
    for patch in (side for side in (1, 2, 4, 7, 8, 14, 16, 32) if tall % side == 0 and side < tall):
        moved = told(model, shuffle_patches(ordinary, patch, Streams(2, len(ordinary))))[0].mean()
        bench.figure(f"{what}, patches of {patch} shuffled", float(moved), "bits/dim", ">= 1", peer=float(usual[0].mean()),
                     peer_name="as they are")  # fmt: skip


def levels_of(shape: torch.Size, count: int) -> dict[str, Tensor]:
    """Pictures of noise, and of one grey each."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, count, shape, generator=generator)
    flat = torch.randint(0, count, (shape[0], 1, 1, 1), generator=generator).expand(shape)
    return {name: x * (2 / (count - 1)) - 1 for name, x in (("uniform noise", noise), ("constant pictures", flat))}


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, help="the folder of Fashion-MNIST, instead of the digits")
    arguments.add_argument("--strange", type=Path, help="the folder of MNIST, to tell from it")
    arguments.add_argument(
        "--photos", type=Path, help="a folder of photographs, of which crops of 64 pixels are learned too"
    )
    arguments.add_argument("--seconds", type=float, help="of training for each model (8 with --quick, else 300)")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    seconds = options.seconds or (6 if bench.quick else 300)
    many = 32 if bench.quick else 256
    source = str(options.data) if options.data else "digits"
    images, test = (open_images(source, split=split) for split in ("train", "test"))
    shown = test.batch(range(min(many, len(test))))[0]
    # Clothes on black are steep: solved in few steps, maximum likelihood learns to cheat the solver instead.
    clothes = ["model.levels=256", "model.logit_alpha=1.0e-6", "training.lr=3e-3", "model.objective=flow-matching"]
    changes = clothes if options.data else []
    what = "clothes" if options.data else "digits"
    models = table(bench, what, images, shown, changes, seconds, "> 1")
    if "2 resolutions" in models:
        model = models["2 resolutions"]
        others = levels_of(shown.shape, model.levels.count)
        if options.strange:
            others["MNIST"] = open_images(str(options.strange), split="test").batch(range(len(shown)))[0]
        strange(bench, what, model, shown, others)
    if options.photos:
        crops = open_images(str(options.photos), size=64, crop="random", resize=256)
        held = open_images(str(options.photos), size=64, crop="random", resize=256, split="test")
        few = held.batch(range(16 if bench.quick else 64))[0]
        photos = ["model.levels=256", "model.logit=coarsest", "training.batch_size=8", "training.lr=3e-3"]
        table(bench, "photographs", crops, few, photos, seconds, "< 1")


if __name__ == "__main__":
    main()
