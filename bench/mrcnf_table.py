"""Flows of one, two and three resolutions beside a one-resolution FFJORD-style flow: bits, weights, seconds, evaluations.

Every model is trained for the same CPU seconds on the same pictures, by the same recipe but for what its line says. Bits are
measured by dopri5 with tolerance 1e-5 on held-out pictures, the same with the same noise for all, so that the error told with
a difference is that of the difference. The published claims are the goals: several resolutions lose on small pictures and win
at 64 pixels, and the volume-preserving transform is no worse than Haar's. Without --data, the digits that come with
scikit-learn are learned; with Fashion-MNIST (--data) the table is the paper's made small, and --photos adds crops of
photographs of 64 pixels.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import measuring
import torch
from measuring import Bench
from torch import Tensor

from unveil.core.random import Streams
from unveil.data import Images, open_images
from unveil.models.multires_cnf import MultiResolutionCNF
from unveil.recipes import resolve
from unveil.recipes.build import build_model
from unveil.training.feed import Feed
from unveil.training.processes import Processes

RAW = ("model.resolutions=2", "model.standardise=false")


@dataclass(frozen=True)
class Row:
    """A model of the table: what sets it apart, and the claim about its bits beside those of another row."""

    changes: tuple[str, ...]
    beside: str | None = None
    small: str = "> 0"
    large: str = "> 0"


ROWS = {
    # One resolution, maximum likelihood by steps to a tolerance, Gaussian probes and nothing that keeps paths straight.
    "FFJORD-style, 1 resolution": Row(
        (
            "model.resolutions=1",
            "model.objective=likelihood",
            "model.solver={method: dopri5, rtol: 1e-3, atol: 1e-3}",
            "model.probe=gaussian",
            "model.kinetic=0",
            "model.jacobian=0",
        )
    ),
    "1 resolution": Row(("model.resolutions=1",), "FFJORD-style, 1 resolution", "< 1", "< 1"),
    "2 resolutions": Row(("model.resolutions=2",), "1 resolution", "> 1", "< 1"),
    "3 resolutions": Row(("model.resolutions=3",), "1 resolution", "> 1", "< 1"),
    "2 resolutions, not standardised": Row(RAW),
    "2 resolutions, haar, not standardised": Row(
        (*RAW, "model.transform=haar"), "2 resolutions, not standardised", ">= 1", ">= 1"
    ),
}
CLOTHES = ("model.levels=256", "model.logit_alpha=1e-6", "training.lr=3e-3", "model.objective=flow-matching")
# Clothes on black are steep: solved in few steps, maximum likelihood learns to cheat the solver instead.
PHOTOS = ("model.levels=256", "model.logit=coarsest", "training.batch_size=8", "training.lr=3e-3",
          "model.objective=flow-matching")  # fmt: skip


def train(model: MultiResolutionCNF, images: Images, options: list[str], seconds: float) -> Iterator[tuple[str, int]]:
    """Train every resolution for an equal share of the seconds that a process computes; yields the steps of each."""
    training, here = resolve("digits-mrcnf", options).training.options(), Processes.join("cpu")
    stages = list(model.stages(10**9))
    for index, stage in enumerate(stages):
        (player,) = stage.players.values()
        optimizer = torch.optim.Adam(player.parameters(), lr=training.lr)
        feed, begin = Feed(images, training, index, here), time.process_time()
        for step in count():
            gone = (time.process_time() - begin) / (seconds / len(stages))
            if gone >= 1:
                break
            # Models differ in their steps, not in their seconds, so the rate rises and falls by the clock.
            optimizer.param_groups[0]["lr"] = training.lr * max(1e-3, min(1.0, 20 * gone, 4 * (1 - gone)))
            (batch,) = feed.parts(step)
            for move in stage.moves(batch):
                optimizer.zero_grad()
                move.loss.backward()
                torch.nn.utils.clip_grad_norm_(player.parameters(), training.clip)
                optimizer.step()
        yield stage.name, step
    model.eval()


def told(model: MultiResolutionCNF, x: Tensor, batch: int = 16) -> tuple[Tensor, float]:
    """Bits per dimension of pixels, and evaluations of networks for a batch of them."""
    bits, evaluations = [], []
    for start in range(0, len(x), batch):
        part = x[start : start + batch]
        streams = Streams(0, range(start, start + len(part)))
        found = model.log_likelihood(model.dequantise(part, streams), generator=streams, trace="hutchinson")
        bits.append(found.bits_per_dim(levels=model.levels.count))
        evaluations.append(found.evaluations)
    return torch.cat(bits), sum(evaluations) / len(evaluations)


def table(
    bench: Bench, what: str, images: Images, test: Tensor, options: tuple[str, ...], seconds: float, small: bool
) -> None:
    """A model of each row that fits, and its figures."""
    bits: dict[str, Tensor] = {}
    for name, row in ROWS.items():
        changes = [*options, *row.changes]
        recipe, label = resolve("digits-mrcnf", changes), f"{what}, {name}"
        if any(side % 2 ** (recipe.model.resolutions - 1) for side in images.shape[1:]) or not bench.wants(label):
            continue
        torch.manual_seed(0)
        model = build_model(recipe, images.shape)
        begin = time.process_time()
        steps = dict(train(model, images, changes, seconds))
        spent = time.process_time() - begin
        begin = time.process_time()
        bits[name], evaluations = told(model, test)
        asked = time.process_time() - begin
        other = bits.get(row.beside or "")
        apart = bits[name] if other is None else bits[name] - other
        error = f"error {float(apart.std()) / math.sqrt(len(apart)):.2g}" + (" of the difference" if row.beside else "")
        bench.figure(
            f"{label}, bits per dimension, {error}", float(bits[name].mean()), "bits/dim",
            "> 0" if other is None else row.small if small else row.large,
            peer=None if other is None else float(other.mean()), peer_name=None if other is None else row.beside,
        )  # fmt: skip
        weights = sum(value.numel() for value in model.parameters())
        bench.figure(f"{label}, weights", float(weights), "weights", "> 0")
        taken = "+".join(map(str, steps.values()))
        bench.figure(f"{label}, training, cpu, {taken} steps", spent, "s", "> 0")
        bench.figure(f"{label}, evaluations of networks for likelihoods", evaluations, "calls", "> 0")
        bench.figure(f"{label}, a likelihood, cpu", asked / len(test), "s", "> 0")


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, help="the folder of Fashion-MNIST, instead of the digits")
    arguments.add_argument("--photos", type=Path, help="a folder of photographs, whose crops of 64 pixels are learned")
    arguments.add_argument("--seconds", type=float, help="of training for each model (6 with --quick, else 300)")
    arguments.add_argument("--pictures", type=int, help="to measure small pictures on (32 with --quick, else 256)")
    arguments.add_argument("--crops", type=int, help="to measure 64 pixels on (8 with --quick, else 64)")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    seconds = options.seconds or (6 if bench.quick else 300)
    source = str(options.data) if options.data else "digits"
    images, test = (open_images(source, split=split) for split in ("train", "test"))
    shown = test.batch(range(min(options.pictures or (32 if bench.quick else 256), len(test))))[0]
    what, changes = ("clothes", CLOTHES) if options.data else ("digits", ())
    table(bench, what, images, shown, changes, seconds, small=True)
    if options.photos:
        crops, held = (
            open_images(str(options.photos), size=64, crop="random", resize=256, split=split)
            for split in ("train", "test")
        )
        few = range(options.crops or (8 if bench.quick else 64))
        table(bench, "photographs", crops, held.batch(few, Streams(0, few))[0], PHOTOS, seconds, small=False)


if __name__ == "__main__":
    main()
