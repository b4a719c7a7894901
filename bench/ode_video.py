"""Predicted frames, one by one, of video as a path, beside the last known frame, a GRU rollout, and video diffusion.

Ten frames of held-out clips are known and ten are predicted, of one digit and of two, whose walls are mirrors. The paths are
the recipes moving-digits-ode and moving-digits-ode-variational, the latter also as published (objective reconstruct, which
never sees the future in training). The rollout is the variational recipe with the equation replaced by a GRU cell of about as
many weights that steps from frame to frame. Video diffusion is the recipe moving-digits-mcvd-concat on the same clips; its
first trajectory counts.

Recipes are trained here as they are, or taken from --runs; the rollout and the published objective take as many steps as the
recipe they vary. Video diffusion takes as many steps as fit into --seconds, by the pace of its first ones: about what a path
has, and far less than its own recipe gives it.
"""

import time
from argparse import Namespace
from copy import deepcopy
from pathlib import Path

import measuring
import torch
from measuring import Bench
from torch import Tensor, nn

import unveil
from unveil.core.random import Streams
from unveil.metrics.clips import frame_scores
from unveil.models.ode_video import ODEVideo
from unveil.recipes import Recipe, resolve
from unveil.recipes.build import build_data, build_model
from unveil.training.trainer import fit

KNOWN, MADE, CLIPS = 10, 10, 256
PROBE = 10  # steps whose pace tells how many fit into some seconds
QUICK = ["model.widths=4,4,4", "model.features=8", "model.latent=8", "model.still=0", "model.hidden=8"]
DIFFUSION = [
    "model.past=3",
    "model.frames=5",
    "model.future=0",
    "model.mask_past=0",
]


class Steps(nn.Module):
    """A GRU cell in the place of an equation: z after each whole frame, from z alone."""

    def __init__(self, state: int, weights: int) -> None:
        super().__init__()
        # A cell of width h and two maps: 6 h^2 + 6 h + 2 h state + h + state weights.
        hidden = next(h for h in range(1, 1000) if 6 * h * h + 7 * h + 2 * h * state + state >= weights)
        self.inwards, self.cell, self.outwards = (
            nn.Linear(state, hidden),
            nn.GRUCell(hidden, hidden),
            nn.Linear(hidden, state),
        )
        self.state = state

    def forward(self, z: Tensor, count: int) -> Tensor:
        """The states of `count` frames, z first, (B, count, state)."""
        h, states = torch.tanh(self.inwards(z)), [z]
        for _ in range(count - 1):
            h = self.cell(h, h)
            states.append(self.outwards(h))
        return torch.stack(states, 1)


class Rollout(ODEVideo):
    """The same encoder, decoder and loss with steps in the place of a path."""

    def _states(self, z: Tensor, start: Tensor, times: Tensor, solver: object) -> tuple[Tensor, int]:
        count = int(times.max()) + 1
        return self.dynamics(z, count)[:, times.flatten().long()], count - 1


def train(bench: Bench, recipe: Recipe, name: str, seconds: float | None = None, rollout: bool = False) -> nn.Module:
    """A recipe trained here, for its steps or for as many as fit into so many seconds."""
    data = build_data(recipe)
    model = build_model(recipe, data.shape)
    if rollout:
        torch.manual_seed(recipe.training.seed)
        weights = sum(value.numel() for value in model.dynamics.parameters())
        model.dynamics = Steps(model.state, weights)
        model.__class__ = Rollout
    weights = sum(value.numel() for value in model.parameters())
    steps = recipe.training.steps
    if seconds is not None:
        begin = time.process_time()
        fit(deepcopy(model), data, PROBE, recipe.training.options(), progress=False, device="cpu")
        steps = max(PROBE, round(PROBE * seconds / (time.process_time() - begin)))
    begin = time.process_time()
    fit(model, data, steps, recipe.training.options(), progress=False, device="cpu")
    bench.figure(f"{name}, training, cpu", time.process_time() - begin, "s", "< 1800")
    bench.figure(f"{name}, steps", steps, "", "> 0")
    bench.figure(f"{name}, weights", weights, "", "> 0")
    return model.eval()


def recipe_of(name: str, options: Namespace, bench: Bench, *changes: str) -> Recipe:
    """A recipe, shortened where that was asked for."""
    given = list(changes)
    if bench.quick:
        small = QUICK if "mcvd" not in name else ["model.network.channels=8", "sampling.steps=3"]
        given += [*small, "training.steps=10", "training.batch_size=4"]
    elif options.steps:
        given.append(f"training.steps={options.steps}")
    return resolve(name, [*given, "training.sample_every=0"])


def judge(bench: Bench, title: str, made: dict[str, Tensor], truth: Tensor) -> None:
    """PSNR and SSIM of every predicted frame, ours beside all others; frame 11 is the first one predicted.

    PSNR is 50 dB at most: of a digit that stands still the last frame is the next one, bit for bit.
    """
    found = {name: frame_scores(x[:, None], truth) for name, x in made.items()}
    psnr = {name: -10 * scores["mse"].clamp(min=1e-5).log10().mean((0, 1)) for name, scores in found.items()}
    ssim = {name: scores["ssim"].mean((0, 1)) for name, scores in found.items()}
    ours = next(iter(made))
    for metric, unit, scores in (("psnr", "dB", psnr), ("ssim", "", ssim)):
        for name in list(scores)[1:]:
            for frame in range(truth.shape[1]):
                bench.figure(
                    f"{title}, {metric} of frame {KNOWN + 1 + frame}", scores[ours][frame].item(), unit, ">= 1",
                    peer=scores[name][frame].item(), peer_name=name,
                )  # fmt: skip
            bench.figure(
                f"{title}, {metric}, mean", scores[ours].mean().item(), unit, ">= 1",
                peer=scores[name].mean().item(), peer_name=name,
            )  # fmt: skip


def centres(x: Tensor) -> Tensor:
    """Where the light of each frame is on average, in pixels, (B, T, 2)."""
    light = x[:, :, 0].add(1)
    light = light / light.sum((2, 3), keepdim=True).clamp(min=1e-6)
    rows, columns = (torch.arange(side, dtype=x.dtype) for side in light.shape[2:])
    return torch.stack([(light.sum(3) * rows).sum(2), (light.sum(2) * columns).sum(2)], 2)


def judge_places(bench: Bench, title: str, made: dict[str, Tensor], truth: Tensor) -> None:
    """How far the digit is from where it should be, in pixels."""
    error = {name: (centres(x) - centres(truth)).norm(dim=2).mean().item() for name, x in made.items()}
    ours = next(iter(made))
    for name in list(error)[1:]:
        bench.figure(f"{title}, place of the digit", error[ours], "px", "<= 1", peer=error[name], peer_name=name)


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=Path, help="a folder with trained runs, by the names of their recipes")
    arguments.add_argument("--steps", type=int, help="of each training but video diffusion's; the recipe's without it")
    arguments.add_argument("--seconds", type=float, default=300, help="that video diffusion is trained (300)")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    for digits, ending in ((1, ""), (2, "-two")):
        title = f"{digits} digit{'s' * (digits > 1)}"
        if bench.wants(title):
            measure(options, bench, title, digits, ending)


def measure(options: Namespace, bench: Bench, title: str, digits: int, ending: str) -> None:
    """All models on clips of so many digits."""

    def model(name: str, *changes: str, told: str, **how: object) -> nn.Module:
        kept = None if options.runs is None or changes or how else options.runs / name
        if kept is not None and kept.exists():
            return unveil.load(kept, device="cpu").model
        return train(bench, recipe_of(name, options, bench, *changes), f"{title}, {told}", **how)

    variational = f"moving-digits-ode-variational{ending}"
    recipe = resolve(variational)
    clips = build_data(recipe, split="test").batch(range(8 if bench.quick else CLIPS))[0]
    known, truth = clips[:, :KNOWN], clips[:, KNOWN : KNOWN + MADE]
    path = model(variational, told="path")
    made = {"path": path.predict(known, MADE, mean=True)}
    made["last known frame"] = known[:, -1:].expand_as(truth)
    made["mean known frame"] = known.mean(1, keepdim=True).expand_as(truth)
    made["path as published"] = model(variational, "model.objective=reconstruct", told="path as published").predict(
        known, MADE, mean=True
    )
    certain = model(f"moving-digits-ode{ending}", told="path without chance")
    made["path without chance"] = certain.predict(known, MADE)
    made["GRU rollout"] = model(variational, told="GRU rollout", rollout=True).predict(known, MADE, mean=True)
    same = [f"data.size={clips.shape[-1]}", f"data.digits={digits}", f"data.walls={recipe.data.walls}"]
    seconds = 1.0 if bench.quick else options.seconds
    diffusion = model("moving-digits-mcvd-concat", *DIFFUSION, *same, told="video diffusion", seconds=seconds)
    walk = {"steps": 3 if bench.quick else 50, "generator": Streams(0, len(known))}
    made["video diffusion"] = diffusion.predict(known, MADE, **walk)
    made = {name: x.detach().cpu().clamp(-1, 1) for name, x in made.items()}
    judge(bench, title, made, truth)
    if digits == 1:
        judge_places(bench, title, made, truth)


if __name__ == "__main__":
    main()
