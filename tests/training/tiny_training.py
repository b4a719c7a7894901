"""A model and data so small that training takes no time, and a program that trains them, to be killed by tests."""

import json
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from unveil.core.protocols import Batch, Move, Stage
from unveil.core.random import Randomness, randn_like
from unveil.training.interrupt import Interrupted
from unveil.training.options import Options
from unveil.training.processes import Processes
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit


class Points:
    """`size` random points in the plane, moved a little at random when they are fetched."""

    def __init__(self, size: int = 37) -> None:
        self.x = torch.randn(size, 2, generator=torch.Generator().manual_seed(1))

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, index: Sequence[int], generator: Randomness = None) -> tuple[Tensor, Mapping[str, Tensor]]:
        x = self.x[list(index)]
        return x + 0.1 * randn_like(x, generator), {"label": torch.tensor(index) % 3}


class Denoiser(nn.Module):
    """Learns to remove noise, in two stages of which the second has two players."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(2, 16), nn.SiLU(), nn.Dropout(dropout), nn.Linear(16, 2))
            self.critic = nn.Linear(2, 1)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def stages(self, steps: int | Mapping[str, int]) -> Iterator[Stage]:
        yield Stage("denoise", {"net": self.net}, steps, self.denoise)
        yield Stage("play", {"net": self.net, "critic": self.critic}, steps // 2, self.play)

    def denoise(self, batch: Batch) -> Iterator[Move]:
        self.seen += len(batch)
        noise = randn_like(batch.x, batch.generator)
        yield Move("net", (self.net(batch.x + noise) - batch.x).square().mean())

    def play(self, batch: Batch) -> Iterator[Move]:
        noise = randn_like(batch.x, batch.generator)
        made = self.net(noise)
        yield Move("critic", self.critic(made.detach()).mean() - self.critic(batch.x).square().mean())
        yield Move("net", -self.critic(made).mean(), {"size": made.norm()})


OPTIONS = Options(batch_size=8, lr=1e-2, warmup=10, decay="cosine", ema=0.99, seed=3, log_every=5, save_every=7)


def train(folder: str | Path, steps: int, pause: float = 0.0, dropout: float = 0.1) -> None:
    """Train a fresh model into a folder, or go on with what is there."""

    def rest(_: object) -> None:
        time.sleep(pause)

    model, run = Denoiser(dropout), RunFolder(folder)
    fit(model, Points(), steps, OPTIONS, run=run, progress=False, device="cpu", hooks=[rest])


def kill_again_and_again(folder: Path, steps: int, kills: int, seed: int) -> int:
    """Train in child processes that are killed at random moments, until one comes to the end; count the killed."""
    moments, killed = random.Random(seed), 0
    while True:
        child = os.fork()
        if child == 0:
            train(folder, steps, pause=0.002)
            os._exit(0)
        if killed < kills:
            time.sleep(moments.uniform(0, 0.1))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return killed
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        killed += 1


if __name__ == "__main__":
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    task, folder, *numbers = sys.argv[1:]
    match task:
        case "kill":
            print(json.dumps({"killed": kill_again_and_again(Path(folder), *map(int, numbers))}))
        case "wait":
            print("begun", flush=True)
            try:
                train(folder, int(numbers[0]), pause=0.01)
            except Interrupted as stopped:
                print(stopped)
                sys.exit(128 + stopped.signal)
        case "share":
            train(folder, int(numbers[0]), dropout=0.0)  # which is drawn by each process for itself
            here = Processes.join("cpu")
            mine = torch.arange(3 * here.rank) + 10.0  # none and three
            line = json.dumps({"rank": here.rank, "gathered": here.gather(mine).tolist()}) + "\n"
            os.write(sys.stdout.fileno(), line.encode())  # in one piece, since the other process writes there too
