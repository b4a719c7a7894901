"""What a Langevin step costs beside one pass of its energy and the gradient in its input, and beside torchebm's.

The pass is what no step can do without; it is given the network at rest, its weights without gradients. Ours draws its noise
from one generator, as torchebm does, and again from a stream for each sample, as runs do, whose samples therefore do not depend
on their batch. torchebm has the same weights twice: in the memory format that networks have when nobody thinks of it, which
is what the goal is for, and in ours.
"""

import copy
import importlib
import sys
from collections.abc import Callable

import measuring
import torch
from measuring import Bench
from torch import Tensor, nn

from unveil.core.random import Streams
from unveil.mcmc import langevin
from unveil.networks.energy import ImageEnergy

STEPS, QUICK_STEPS, ROUNDS = 3, 2, 25  # short turns, so that a busy machine leaves some alone
STEP_SIZE, NOISE = 25.0, 5e-4
REGIMES = {  # channels, side, widths, batch
    "8 x 8, digits-hat": (1, 8, (32, 32, 32), 48),
    "28 x 28, fashion-hat": (1, 28, (48, 48, 48, 48), 32),
    "32 x 32, 96 channels": (3, 32, (96, 96, 96, 96), 16),
}


class Plain(nn.Module):
    """An energy whose network and input are left as they come, one plane of memory after another."""

    def __init__(self, energy: ImageEnergy) -> None:
        super().__init__()
        self.energy = copy.deepcopy(energy).to(memory_format=torch.contiguous_format)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) -> energies (B,)."""
        h = self.energy.activation(self.energy.blocks(x)).mean((2, 3))
        return self.energy.last(h).squeeze(1)


def library(folder: str | None):
    """torchebm; None where it is not installed."""
    if folder:
        sys.path.append(folder)
    try:
        return importlib.import_module("torchebm")
    except ImportError:
        return None


def of_torchebm(torchebm, energy: nn.Module, generator: torch.Generator) -> Callable[[Tensor, int], Tensor]:
    """Its chain with our step: x - eta grad U + sqrt(2 eta) noise_scale e."""
    base, samplers = (importlib.import_module(f"torchebm.{room}") for room in ("core", "samplers"))

    class Model(base.BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.energy = energy

        def forward(self, x: Tensor) -> Tensor:
            return self.energy(x)

    eta = STEP_SIZE / 2
    sampler = samplers.LangevinDynamics(Model(), step_size=eta, noise_scale=NOISE / (2 * eta) ** 0.5, device="cpu")
    return lambda x, steps: sampler.sample(x=x, n_steps=steps, generator=generator)


def gradients(energy: nn.Module, x: Tensor, steps: int) -> None:
    """As many passes with gradients in the input, and nothing else."""
    for _ in range(steps):
        at = x.detach().requires_grad_(True)
        torch.autograd.grad(energy(at).sum(), at)


def alike(ours: Tensor, theirs: Tensor, name: str) -> None:
    """See that both walk the same way, but for the noise."""
    if float((ours - theirs).abs().max()) > 20 * NOISE:
        raise SystemExit(f"{name} does not take the step that ours does.")


def measure(bench: Bench, label: str, torchebm) -> None:
    channels, side, widths, batch = REGIMES[label]
    torch.manual_seed(0)
    energy = ImageEnergy(channels, widths=widths, downs=2).eval().requires_grad_(False)
    plain = Plain(energy)
    x = torch.rand(batch, channels, side, side) * 2 - 1
    steps, generator = QUICK_STEPS if bench.quick else STEPS, torch.Generator().manual_seed(0)

    def ours(x: Tensor, steps: int, drawn: torch.Generator | Streams = generator) -> Tensor:
        return langevin(energy, x, steps=steps, step_size=STEP_SIZE, noise=NOISE, longest=2.5, generator=drawn)

    works: dict[str, Callable[[], object]] = {
        "bare": lambda: gradients(energy, x, steps),
        "ours": lambda: ours(x, steps),
        "ours with streams": lambda: ours(x, steps, Streams(0, batch)),
    }
    if torchebm is not None:
        for name, network in (("torchebm", plain), ("torchebm in our memory format", energy)):
            walk = of_torchebm(torchebm, network, generator)
            alike(ours(x, 1), walk(x, 1), name)
            works[name] = lambda walk=walk: walk(x, steps)
    times = bench.contest(
        {name: bench.timed(work) for name, work in works.items()}, rounds=None if bench.quick else ROUNDS
    )
    for name, goal in (("ours", "< 1.04"), ("ours with streams", "> 0")):
        for kind, seconds in (("best", times.best), ("median", times.median)):
            ours_takes, bare_takes = (seconds(each) / steps * 1e3 for each in (name, "bare"))
            bench.figure(
                f"{label}, a step of {name} beside one pass and its gradient, {kind}", ours_takes, "ms", goal,
                peer=bare_takes, peer_name="pass and gradient",
            )  # fmt: skip
    for name, goal in (("torchebm", ">= 1.3"), ("torchebm in our memory format", ">= 1")):
        if name not in works:
            bench.figure(f"{label}, steps a second", None, "1/s", goal, peer_name=f"{name} (absent)")
            continue
        times.report(bench, f"{label}, steps a second beside {name}", steps, "1/s", "ours", name, name, goal)


def main() -> None:
    options = measuring.parser(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(options.threads)
    bench, torchebm = measuring.begin(options), library(options.peers)
    for label in REGIMES:
        if bench.wants(label):
            measure(bench, label, torchebm)


if __name__ == "__main__":
    main()
