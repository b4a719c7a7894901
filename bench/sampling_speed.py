"""Images a second of DDIM: ours beside diffusers, denoising-diffusion-pytorch and bare calls of the network.

All but denoising-diffusion-pytorch, which brings a network of its own, run the same weights. Bare calls of our network
on the very states that sampling visits are the limit: nothing can be faster with this network.
"""

import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence

import measuring
import peers
import torch
from measuring import Bench
from peers import LARGE, TINY, Size
from torch import Tensor, nn

from unveil.core.random import Streams
from unveil.models.diffusion import Diffusion

STEPS = {"tiny": 50, "35M": 4}
QUICK_STEPS = {"tiny": 20, "35M": 2}
UNIT = "images/s"


def states(model: Diffusion, batch: int, steps: int) -> list[tuple[Tensor, Tensor]]:
    """What the network is asked on the way: the states, and the times of each sample."""
    asked: list[tuple[Tensor, Tensor]] = []
    handle = model.net.register_forward_pre_hook(lambda _, arguments: asked.append(arguments[:2]))
    model.sample(batch, steps=steps, generator=Streams(0, batch))
    handle.remove()
    return asked


def bare(net: nn.Module, asked: Sequence[tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for x, t in asked:
            net(x, t)


def compare(bench: Bench, size: Size, batch: int, mode: str, device: torch.device, library: object, steps: int) -> None:
    """One regime: a size, a batch and a way to run the network."""
    name = f"sampling {size.name}, batch {batch}, {mode}, {device.type}"
    if not bench.wants(name):
        return
    model = size.model().to(device).eval()
    theirs = peers.diffusers_network(model).to(device).eval()
    other = None
    if library is not None:
        other = peers.denoising_model(library, size, steps).to(device).eval()
    other_name = peers.denoising_name(other, model)
    layout = torch.contiguous_format
    match mode:
        case "channels-last":
            layout = torch.channels_last
            theirs.to(memory_format=layout)
            if other is not None:
                other.model.to(memory_format=layout)
        case "compiled" | "cuda-graphs":
            options = {"mode": "reduce-overhead"} if mode == "cuda-graphs" else {}
            for network in (model.net, theirs, *(() if other is None else (other.model,))):
                network.compile(dynamic=False, **options)

    asked = states(model, batch, steps)
    wait = torch.cuda.synchronize if device.type == "cuda" else None

    def noise() -> Tensor:
        return torch.randn(batch, *model.shape, device=device).contiguous(memory_format=layout)

    work: dict[str, Callable[[], object]] = {
        "ours": lambda: model.sample(batch, steps=steps, generator=Streams(0, batch)),
        "bare": lambda: bare(model.net, asked),
        "diffusers": lambda: peers.diffusers_sampling(theirs, noise(), steps),
    }
    if other is not None:
        work["other"] = lambda: other.sample(batch_size=batch)
    times = bench.contest({key: bench.timed(run, wait) for key, run in work.items()})

    def report(peer: str, peer_name: str, goal: str) -> None:
        times.report(bench, f"{name}, vs {peer_name.split()[0]}", batch, UNIT, "ours", peer, peer_name, goal)

    times.report(
        bench, f"{name}, vs bare", batch, UNIT, "ours", "bare", f"bare calls of our network, x{steps}", ">= 0.97"
    )
    at_one = ">= 1.2" if device.type == "cuda" else ">= 1.1"
    report("diffusers", peers.diffusers_name(), at_one if batch == 1 else ">= 1.0")
    if other is not None:
        report("other", other_name, ">= 1.0")
    else:
        bench.figure(f"{name}, vs {peers.DENOISING}", batch / times.best("ours"), UNIT, ">= 1.0", peer_name=other_name)


def same_pictures(bench: Bench) -> None:
    """Both libraries make the same pictures of the same weights, or the contest would mean nothing."""
    model = TINY.model().eval()
    theirs = peers.diffusers_network(model).eval()
    found = model.sample(4, steps=20, generator=Streams(0, 4))
    start = model.noise(4, Streams(0, 4)).float()
    expected = peers.diffusers_sampling(theirs, start, 20, use_clipped_model_output=True)
    bench.figure("largest difference of pixels to diffusers", float((found - expected).abs().max()), "of 2", "< 1e-3")


def count_waits(bench: Bench, device: torch.device) -> None:
    """How often a sampling waits for the GPU; once at the end it must, to see whether all stayed finite."""
    model = TINY.model().to(device).eval()
    model.sample(8, steps=20, generator=Streams(0, 8))
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.sample(8, steps=20, generator=Streams(0, 8))
    torch.cuda.set_sync_debug_mode("default")
    waits = sum("synchroniz" in str(one.message) for one in caught)
    bench.figure("waits for the GPU in a sampling of 20 steps", waits, "waits", "<= 2")


# -- memory, each contestant in a process of its own ------------------------------------------------------------------


def one_sampling(options: Namespace) -> str:
    """Sample once with one contestant, and tell its memory."""
    contestant, name, batch, steps = options.one.split(",")
    size, batch, steps = {"tiny": TINY, "35M": LARGE}[name], int(batch), int(steps)
    library = peers.denoising_library(options.peers) if contestant == peers.DENOISING else None
    if contestant == "ours":
        model = size.model().eval()

        def work(n: int) -> None:
            model.sample(n, steps=steps, generator=Streams(0, n))
    elif contestant == peers.DIFFUSERS:
        network = peers.diffusers_alone(size).eval()

        def work(n: int) -> None:
            peers.diffusers_sampling(network, torch.randn(n, size.channels, size.side, size.side), steps)
    elif library is not None:
        other = peers.denoising_model(library, size, steps).eval()

        def work(n: int) -> None:
            other.sample(batch_size=n)
    else:
        return "null"
    work(1)  # loads the code, which is no memory of sampling
    return measuring.peak_while(lambda: work(batch))


def memory(bench: Bench, size: Size, batch: int, steps: int, folder: str | None) -> None:
    name = f"memory of sampling {size.name}, batch {batch}, cpu"
    if not bench.wants(name):
        return
    found = {}
    for contestant in ("ours", peers.DIFFUSERS, peers.DENOISING):
        command = [sys.argv[0], "--one", f"{contestant},{size.name},{batch},{steps}", "--threads", str(bench.threads)]
        found[contestant] = measuring.peak_of([*command, *(["--peers", folder] if folder else [])])
    for contestant in (peers.DIFFUSERS, peers.DENOISING):
        theirs, mine = found[contestant], found["ours"]
        for what in ("process", "work"):
            peer = theirs[what] if theirs else None
            peer_name = contestant if theirs else f"{contestant} (absent)"
            bench.figure(f"{name}, {what}, vs {contestant}", mine[what], "MB", "<= 1.0", peer=peer, peer_name=peer_name)


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--device", choices=["cpu", "cuda"], help="by default both, where there is a GPU")
    arguments.add_argument("--one", help="for its own use: sample once and tell the memory")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    if options.one:
        print(one_sampling(options))
        return
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    steps = QUICK_STEPS if options.quick else STEPS
    bench = measuring.begin(options)
    same_pictures(bench)
    library = peers.denoising_library(options.peers)
    for device in map(torch.device, [options.device] if options.device else devices):
        modes = ["eager", "channels-last"] if options.quick else ["eager", "channels-last", "compiled"]
        if device.type == "cuda":
            bench.clock = "wall"
            modes = [*modes, "cuda-graphs"]
            count_waits(bench, device)
        for mode in modes:
            for size in (TINY, LARGE):
                for batch in (1, 8):
                    if options.quick and (mode != "eager" or (size is LARGE and batch > 1)):
                        continue
                    compare(bench, size, batch, mode, device, library, steps[size.name])
    for size, batch in [(TINY, 8)] if options.quick else [(TINY, 8), (LARGE, 1), (LARGE, 8)]:
        memory(bench, size, batch, 2, options.peers)


if __name__ == "__main__":
    main()
