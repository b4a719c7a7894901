"""Predicted frames, one by one, of video as a path, beside the last known frame, a GRU rollout, and video diffusion.

Ten frames of held-out clips are known and ten are predicted, of one digit and of two, whose walls are mirrors. The paths are
the recipes moving-digits-ode and moving-digits-ode-variational, the latter also as published (objective reconstruct, which
never sees the future in training). The rollout is the variational recipe with the equation replaced by a GRU cell of about as
many weights that steps from frame to frame. Video diffusion has a budget of about as many seconds; its first trajectory
counts.
"""

import time
from argparse import Namespace
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

KNOWN, MADE = 10, 10
QUICK = ["model.widths=4,4,4", "model.features=8", "model.latent=8", "model.hidden=8"]
DIFFUSION = [
    "model.past=3",
    "model.frames=5",
    "model.future=0",
    "model.mask_past=0",
    "data.size=32",
    "data.walls=mirror",
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


def train(options: Namespace, bench: Bench, recipe: Recipe, name: str, rollout: bool = False) -> nn.Module:
    """A recipe trained here."""
    data = build_data(recipe)
    model = build_model(recipe, data.shape)
    if rollout:
        torch.manual_seed(recipe.training.seed)
        weights = sum(value.numel() for value in model.dynamics.parameters())
        model.dynamics = Steps(model.state, weights)
        model.__class__ = Rollout
    weights = sum(value.numel() for value in model.parameters())
    begin = time.process_time()
    fit(model, data, recipe.training.steps, recipe.training.options(), progress=False, device="cpu")
    bench.figure(f"{name}, training, cpu", time.process_time() - begin, "s", "< 1800")
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
    arguments.add_argument("--steps", type=int, help="of each training; the recipe's without it")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    for digits, ending in ((1, ""), (2, "-two")):
        title = f"{digits} digit{'s' * (digits > 1)}"
        if bench.wants(title):
            measure(options, bench, title, digits, ending)


def measure(options: Namespace, bench: Bench, title: str, digits: int, ending: str) -> None:
    """All models on clips of so many digits."""

    def model(name: str, *changes: str, told: str, rollout: bool = False) -> nn.Module:
        kept = None if options.runs is None or changes or rollout else options.runs / name
        if kept is not None and kept.exists():
            return unveil.load(kept, device="cpu").model
        return train(options, bench, recipe_of(name, options, bench, *changes), f"{title}, {told}", rollout)

    variational = f"moving-digits-ode-variational{ending}"
    clips = build_data(resolve(variational), split="test").batch(range(8 if bench.quick else 256))[0]
    known, truth = clips[:, :KNOWN], clips[:, KNOWN : KNOWN + MADE]
    path = model(variational, told="path")
    made = {"path": path.predict(known, MADE, mean=True)}
    made["last known frame"] = known[:, -1:].expand_as(truth)
    made["mean known frame"] = known.mean(1, keepdim=True).expand_as(truth)
    made["path as published"] = model(variational, "model.objective=reconstruct", told="path as published").predict(
        known, MADE, mean=True
    )
    made["path of two frames"] = model(f"moving-digits-ode{ending}", told="path of two frames").predict(known, MADE)
    made["GRU rollout"] = model(variational, told="GRU rollout", rollout=True).predict(known, MADE, mean=True)
    diffusion = model("moving-digits-mcvd-concat", *DIFFUSION, f"data.digits={digits}", told="video diffusion")
    walk = {"steps": 3 if bench.quick else 50, "generator": Streams(0, len(known))}
    made["video diffusion"] = diffusion.predict(known, MADE, **walk)
    made = {name: x.detach().cpu().clamp(-1, 1) for name, x in made.items()}
    judge(bench, title, made, truth)
    if digits == 1:
        judge_places(bench, title, made, truth)


if __name__ == "__main__":
    main()
