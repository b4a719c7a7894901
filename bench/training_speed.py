"""Training steps a second, data loading included: ours beside diffusers' documented loop and denoising-diffusion-pytorch.

The data are a folder of PNG pictures. Ours and diffusers' loop train the same architecture from the same weights;
denoising-diffusion-pytorch trains a network of its own with its own trainer. Steps are counted after the first few,
so that nobody's preparations are.
"""

import io
import math
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType

import measuring
import numpy as np
import peers
import torch
import torch.nn.functional as F
from measuring import Bench, Times
from peers import LARGE, SMALL, TINY, Size
from PIL import Image
from torch import Tensor, nn

import unveil
from unveil.core.protocols import Dataset
from unveil.core.random import Streams, randn
from unveil.covariance import free_field
from unveil.models.diffusion import Diffusion
from unveil.training.hooks import Moment
from unveil.training.options import Options
from unveil.training.trainer import fit

PICTURES = 256
SIDE = 64  # of the pictures in the folder, which everybody brings to the size of the network
WARM = 3  # steps that are not counted
UNIT = "steps/s"
REGIMES = [(TINY, 64, 12), (SMALL, 16, 8), (LARGE, 16, 3)]
"""Networks, batches, and steps that are counted in a turn."""


def write_pictures(folder: Path) -> None:
    """Crops of scikit-image's photographs, as PNG files."""
    folder.mkdir()
    data = unveil.open_images("photos", size=SIDE, channels=3, crops=math.ceil(PICTURES / 8), cache=False)
    for i in range(PICTURES):
        pixels = ((data.batch([i % len(data)])[0][0].permute(1, 2, 0) + 1) * 127.5).round().to(torch.uint8)
        Image.fromarray(pixels.numpy()).save(folder / f"{i:04d}.png")


class Laps:
    """The seconds of the steps after the first few: call it at the end of every step."""

    def __init__(self, bench: Bench, steps: int) -> None:
        self.bench, self.steps, self.done = bench, steps, 0

    def __call__(self) -> None:
        """Count a step."""
        self.done += 1
        if self.done == WARM:
            self.begin = self.bench.now()
        elif self.done == WARM + self.steps:
            self.seconds = self.bench.now() - self.begin


# -- the contestants: each trains WARM + steps steps and tells the seconds of the last ones ------------------------------


def options(batch: int) -> Options:
    """What diffusers' script has by default, in our words."""
    return Options(
        batch_size=batch, lr=1e-4, warmup=500, decay="cosine", betas=(0.95, 0.999), weight_decay=1e-6, ema=0.9999
    )


def ours(bench: Bench, model: Diffusion, data: Dataset, batch: int, steps: int) -> Callable[[], float]:
    def turn() -> float:
        laps = Laps(bench, steps)

        def hook(_: Moment) -> None:
            laps()

        fit(model, data, WARM + steps, options(batch), hooks=[hook], progress=False)
        return laps.seconds

    return turn


class Folder(torch.utils.data.Dataset[dict[str, Tensor]]):
    """What diffusers' script makes of a folder: every picture opened, resized and normalized whenever it is wanted."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.files, self.size = sorted(folder.glob("*.png")), size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        side, kind = self.size.side, "L" if self.size.channels == 1 else "RGB"
        with Image.open(self.files[i]) as file:
            picture = file.convert(kind).resize((side, side), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture)).reshape(side, side, self.size.channels)
        return {"input": pixels.permute(2, 0, 1).float().div(255).sub(0.5).div(0.5)}


def diffusers_loop(
    bench: Bench, network: nn.Module, folder: Path, size: Size, batch: int, steps: int
) -> Callable[[], float]:
    """The loop of diffusers' example for unconditional training, with its defaults and its average of the weights."""
    from accelerate import Accelerator
    from diffusers import DDPMScheduler
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel

    def turn() -> float:
        laps = Laps(bench, steps)
        accelerator = Accelerator(cpu=not torch.cuda.is_available())
        scheduler = DDPMScheduler()
        loader = torch.utils.data.DataLoader(Folder(folder, size), batch_size=batch, shuffle=True)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
        rate = get_scheduler("cosine", optimizer, num_warmup_steps=500, num_training_steps=10_000)
        model, optimizer, loader, rate = accelerator.prepare(network, optimizer, loader, rate)
        average = EMAModel(model.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
        average.to(accelerator.device)
        model.train()
        while True:
            for found in loader:
                clean = found["input"]
                noise = torch.randn(clean.shape, dtype=clean.dtype, device=clean.device)
                t = torch.randint(0, scheduler.config.num_train_timesteps, (len(clean),), device=clean.device).long()
                noisy = scheduler.add_noise(clean, noise, t)
                with accelerator.accumulate(model):
                    loss = F.mse_loss(model(noisy, t).sample.float(), noise.float())
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        accelerator.clip_grad_norm_(model.parameters(), 1.0)
                    optimizer.step()
                    rate.step()
                    optimizer.zero_grad()
                if accelerator.sync_gradients:
                    average.step(model.parameters())
                loss.detach().item()  # which its progress bar shows
                laps()
                if laps.done == WARM + steps:
                    return laps.seconds

    return turn


def denoising_trainer(
    bench: Bench, library: ModuleType, folder: Path, size: Size, batch: int, steps: int
) -> Callable[[], float]:
    """The other library's own trainer, its pictures read in this process, as everybody's are."""
    from denoising_diffusion_pytorch import denoising_diffusion_pytorch as module

    module.cpu_count = lambda: 0

    def turn() -> float:
        laps, said = Laps(bench, steps), io.StringIO()
        with tempfile.TemporaryDirectory() as results, redirect_stdout(said), redirect_stderr(said):
            trainer = library.Trainer(
                peers.denoising_model(library, size, 50),
                str(folder),
                train_batch_size=batch,
                train_num_steps=WARM + steps,
                save_and_sample_every=10**9,
                calculate_fid=False,
                results_folder=results,
            )
            update = trainer.ema.update

            def count() -> None:
                update()
                laps()

            trainer.ema.update = count
            trainer.train()
        return laps.seconds

    return turn


def bare_loop(bench: Bench, model: Diffusion, x: Tensor, steps: int) -> Callable[[], float]:
    """The least that training can be: one batch in memory, plain noise, the network, and the fastest optimiser."""

    def turn() -> float:
        laps = Laps(bench, steps)
        values = list(model.net.parameters())
        averages = [value.detach().clone() for value in values]
        optimizer = torch.optim.AdamW(values, lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, fused=True)
        alpha, sigma = (
            c.float()[:, None, None, None] for c in model.schedule(torch.arange(1, 1001, dtype=torch.float64) / 1000)
        )
        model.train()
        for _ in range(WARM + steps):
            step = torch.randint(1000, (len(x),))
            eps = torch.randn(x.shape)
            loss = F.mse_loss(model.net(alpha[step] * x + sigma[step] * eps, (step + 1) / 1000), eps)
            loss.backward()
            gradients = [value.grad for value in values if value.grad is not None]
            norm = torch.stack(torch._foreach_norm(gradients)).norm()
            torch._foreach_mul_(gradients, (1.0 / (norm + 1e-6)).clamp(max=1.0))
            optimizer.step()
            optimizer.zero_grad()
            with torch.no_grad():
                torch._foreach_lerp_(averages, values, 0.0001)
            laps()
        return laps.seconds

    return turn


# -- the contests -----------------------------------------------------------------------------------------------------


def opened(folder: Path, size: Size) -> Dataset:
    return unveil.open_images(folder, size=size.side, channels=size.channels, split="all", cache=False)


def speed(bench: Bench, size: Size, batch: int, steps: int, folder: Path, library: ModuleType | None) -> None:
    """Training of one size beside the peers."""
    name = f"training {size.name}, batch {batch}"
    if not bench.wants(name):
        return
    model, data = size.model(), opened(folder, size)
    theirs = peers.diffusers_network(model)
    theirs.train()
    x, _ = data.batch(range(batch))
    turns = {
        "ours": ours(bench, model, data, batch, steps),
        "diffusers": diffusers_loop(bench, theirs, folder, size, batch, steps),
        "bare": bare_loop(bench, size.model(), x, steps),
    }
    other_name = peers.denoising_name(None)
    if library is not None:
        turns["other"] = denoising_trainer(bench, library, folder, size, batch, steps)
        other_name = peers.denoising_name(peers.denoising_model(library, size, 50), model)
    times = bench.contest(turns)

    def report(peer: str, peer_name: str, goal: str) -> None:
        times.report(bench, f"{name}, vs {peer_name.split()[0]}", steps, UNIT, "ours", peer, peer_name, goal)

    report("bare", "bare loop on one batch in memory", ">= 0.97")
    report("diffusers", peers.diffusers_name(), ">= 1.1")
    if library is not None:
        report("other", other_name, ">= 1.1")
    else:
        best = steps / times.best("ours")
        bench.figure(f"{name}, vs {peers.DENOISING}", best, UNIT, ">= 1.1", peer_name=other_name)


def colour(bench: Bench, size: Size, batch: int, steps: int, folder: Path) -> None:
    """What the noise of a free field costs, of a step: colouring alone, and the whole step beside one with white noise."""
    name = f"free-field noise {size.name}, batch {batch}"
    if not bench.wants(name):
        return
    field = free_field(size.side, size.side)
    data = opened(folder, size)
    white = randn((batch, size.channels, size.side, size.side), Streams(0, batch))

    def colouring() -> float:
        begin = bench.now()
        for _ in range(steps):
            field.sqrt(white)
        return bench.now() - begin

    times: Times = bench.contest(
        {
            "white": ours(bench, size.model(), data, batch, steps),
            "field": ours(bench, size.model(cov=field), data, batch, steps),
            "colouring": colouring,
        }
    )
    share = times.median("colouring") / times.median("white")
    bench.figure(f"{name}, share of a training step", share, "share", "< 0.03")
    times.report(bench, f"{name}, a whole step", steps, UNIT, "field", "white", "white noise", ">= 0.97")


# -- memory, each contestant in a process of its own ------------------------------------------------------------------


def one_training(arguments: Namespace) -> str:
    """Train a few steps with one contestant, and tell the memory."""
    contestant, name, batch, place = arguments.one.split(",")
    size, folder = {one.name: one for one, *_ in REGIMES}[name], Path(place)
    bench, batch, steps = Bench(), int(batch), 2
    if contestant == "ours":
        turn = ours(bench, size.model(), opened(folder, size), batch, steps)
    elif contestant == peers.DIFFUSERS:
        turn = diffusers_loop(bench, peers.diffusers_alone(size), folder, size, batch, steps)
    else:
        library = peers.denoising_library(arguments.peers)
        if library is None:
            return "null"
        turn = denoising_trainer(bench, library, folder, size, batch, steps)
    return measuring.peak_while(turn)


def memory(bench: Bench, size: Size, batch: int, folder: Path, place: str | None) -> None:
    name = f"memory of training {size.name}, batch {batch}"
    if not bench.wants(name):
        return
    found = {}
    for contestant in ("ours", peers.DIFFUSERS, peers.DENOISING):
        command = [sys.argv[0], "--one", f"{contestant},{size.name},{batch},{folder}", "--threads", str(bench.threads)]
        found[contestant] = measuring.peak_of([*command, *(["--peers", place] if place else [])])
    for contestant in (peers.DIFFUSERS, peers.DENOISING):
        theirs, mine = found[contestant], found["ours"]
        assert mine is not None
        for what in ("process", "work"):
            peer = theirs[what] if theirs else None
            peer_name = contestant if theirs else f"{contestant} (absent)"
            bench.figure(f"{name}, {what}, vs {contestant}", mine[what], "MB", "<= 1.0", peer=peer, peer_name=peer_name)


def main() -> None:
    parser = measuring.parser(__doc__.splitlines()[0])
    parser.add_argument("--one", help="for its own use: train a little and tell the memory")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.one:
        print(one_training(arguments))
        return
    bench = measuring.begin(arguments, gpu=torch.cuda.is_available())
    library = peers.denoising_library(arguments.peers)
    regimes = [(SMALL, 16, 3)] if bench.quick else REGIMES
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        write_pictures(folder)
        for size, batch, steps in regimes:
            speed(bench, size, batch, steps, folder, library)
        for size, batch, steps in regimes[:2]:
            colour(bench, size, batch, steps, folder)
        for size, batch, _ in [] if bench.quick else regimes:
            memory(bench, size, batch, folder, arguments.peers)


if __name__ == "__main__":
    main()
