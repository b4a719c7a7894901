"""Solvers of ODEs beside torchdiffeq: what they add to a call of the network, likelihoods, and gradients with their memory.

The overhead is the time of a solution divided by its evaluations, less that of a bare call of the same network. The likelihood
is that of a flow of pictures, with tolerances at which both end equally far from the exact solution. Gradients are those of
the same loss through the same network; memory is measured in a process for each.
"""

import gc
import math
import sys
from collections.abc import Callable

import measuring
import torch
import torchdiffeq
from measuring import Bench
from torch import Tensor, nn

from unveil.core.random import Streams, randn_like
from unveil.data import open_images
from unveil.networks.dynamics import ConvDynamics
from unveil.ode import Augmented, Solver, solve
from unveil.recipes import resolve
from unveil.recipes.build import build_model
from unveil.training.trainer import fit

AIM = "< 60"
REPEAT = 5
TIMES = torch.tensor([0.0, 1.0], dtype=torch.float64)
TOLERANCES = tuple(10 ** (-power / 4) for power in range(2, 25))
ERRORS = (0.03, 0.01, 0.003, 0.001, 0.0003)
"""Of the log density, in nats, averaged over pictures."""
WAYS = ("backprop", "checkpoint", "adjoint")


class Vectors(nn.Module):
    """A network of vectors so small that what is around it counts."""

    def __init__(self, numbers: int = 16, hidden: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(numbers, hidden), nn.Tanh(), nn.Linear(hidden, numbers))

    def forward(self, t: Tensor, x: Tensor) -> Tensor:
        """The velocity."""
        return self.layers(x)


class Counted:
    """A field, and how often it was called."""

    def __init__(self, field: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.field, self.calls = field, 0

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        """The velocity, counted."""
        self.calls += 1
        return self.field(t, x)


def evaluations(run: Callable[[Counted], object], field: Callable[[Tensor, Tensor], Tensor]) -> int:
    counted = Counted(field)
    run(counted)
    return counted.calls


@torch.no_grad()
def overhead(bench: Bench, batch: int) -> None:
    """Microseconds that a solver adds to each evaluation."""
    net, x = Vectors(), torch.randn(batch, 16)
    for method in ("euler", "rk4", "bosh3", "dopri5"):
        name = f"{method}, batch {batch}, overhead of an evaluation"
        if not bench.wants(name):
            continue
        solver = Solver(method, steps=20, rtol=1e-6, atol=1e-6)
        grid = torch.linspace(0, 1, 21, dtype=torch.float64)
        fixed = not solver.adaptive

        def ours(field: Callable[[Tensor, Tensor], Tensor], solver: Solver = solver) -> object:
            return solve(field, x, TIMES, solver)

        def theirs(
            field: Callable[[Tensor, Tensor], Tensor], method: str = method, fixed: bool = fixed, grid: Tensor = grid
        ) -> object:
            times = grid if fixed else TIMES
            return torchdiffeq.odeint(field, x, times.float(), rtol=1e-6, atol=1e-6, method=method)

        counts = evaluations(ours, net), evaluations(theirs, net)

        def bare(count: int = counts[0]) -> None:
            for _ in range(count):
                net(TIMES[0], x)

        def several(work: Callable[[], object]) -> Callable[[], float]:
            return bench.timed(lambda: [work() for _ in range(REPEAT)])

        seconds = bench.contest(
            {"ours": several(lambda ours=ours: ours(net)), "peer": several(lambda theirs=theirs: theirs(net)),
             "bare": several(bare)}
        )  # fmt: skip
        call = seconds.best("bare") / REPEAT / counts[0]
        added = [1e6 * (seconds.best(who) / REPEAT / n - call) for who, n in zip(("ours", "peer"), counts, strict=True)]
        bench.figure(name, added[0], "us", AIM)
        bench.figure(f"{name}, beside torchdiffeq", added[0], "us", "< 1", peer=added[1], peer_name="torchdiffeq")


def flow(side: int = 8, batch: int = 16, hidden: tuple[int, ...] = (16, 16)) -> tuple[Augmented, Tensor, ConvDynamics]:
    """A field that carries pictures and their density, and where it begins."""
    torch.manual_seed(0)
    net = ConvDynamics(3, hidden=hidden)
    nn.init.normal_(net.layers[-1].weight, std=0.3)
    x = torch.randn(batch, 3, side, side)
    joint = Augmented(net, x.shape[1:], torch.randn_like(x).sign())
    return joint, joint.start(x), net


def trained(steps: int) -> tuple[Augmented, Tensor]:
    """The flow of the details of digits, after some training, and where it begins."""
    recipe = resolve("digits-mrcnf", ["model.objective=flow-matching", "training.ema=0"])
    images = open_images("digits")
    model = build_model(recipe, images.shape)
    fit(model, images, steps, recipe.training.options(), progress=False, device="cpu")
    x = model.dequantise(images.batch(range(32))[0], Streams(0, 32))
    level, flow = model.pyramid.levels((x + 1) / 2)[0], model.flow(1)
    told, v = flow.told(level.condition), flow.standard(level.state)
    probe = randn_like(v, Streams(1, 32)).sign()
    joint = Augmented(lambda t, v: flow.blocks[0](t, v, told), v.shape[1:], probe)
    return joint, joint.start(v)


def likelihoods(bench: Bench) -> None:
    """Likelihoods a second at equal error, each at the loosest tolerance that reaches it."""
    if not bench.wants("likelihoods by dopri5"):
        return
    joint, start = trained(100 if bench.quick else 400)
    ratios = []
    with torch.no_grad():
        exact = joint.read(solve(joint, start, TIMES, Solver("rk4", steps=60)).final)[1]

        def ours(tolerance: float) -> Tensor:
            solver = Solver(rtol=tolerance, atol=tolerance)
            return joint.read(solve(joint, start, TIMES, solver, norm=joint.norm).final)[1]

        def theirs(tolerance: float) -> Tensor:
            return joint.read(torchdiffeq.odeint(joint, start, TIMES.float(), rtol=tolerance, atol=tolerance)[-1])[1]

        errors = {
            who: [float((who(tolerance) - exact).abs().mean()) for tolerance in TOLERANCES] for who in (ours, theirs)
        }
        for most in ERRORS:
            # The tightest of those tolerances from which on the error stays below.
            at = [
                next((TOLERANCES[i] for i in range(len(TOLERANCES)) if max(errors[who][i:]) < most), TOLERANCES[-1])
                for who in (ours, theirs)
            ]
            seconds = bench.contest(
                {"ours": bench.timed(lambda at=at: ours(at[0])), "peer": bench.timed(lambda at=at: theirs(at[1]))}
            )
            name = f"likelihoods by dopri5, mean error below {most:g} nats (tolerances {at[0]:.1g} and {at[1]:.1g})"
            seconds.report(bench, name, len(start), "pictures/s", "ours", "peer", "torchdiffeq", ">= 1")
            ratios.append(seconds.ratio("ours", "peer"))
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    bench.figure("likelihoods by dopri5, geometric mean of those ratios", mean, "x", ">= 1.2")


def step(way: str, peer: bool) -> Callable[[], object]:
    """A gradient of the log density, with the same number of evaluations for all: rk4 in four steps."""
    joint, start, net = flow(16, 32, (32, 32))
    parameters = list(net.parameters())

    class Field(nn.Module):  # the peer's adjoint takes its parameters from a module
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, t: Tensor, state: Tensor) -> Tensor:
            return joint(t, state)

    def work() -> object:
        if peer:
            solver = torchdiffeq.odeint_adjoint if way == "adjoint" else torchdiffeq.odeint
            # Their rk4 is another method of the fourth order, with as many evaluations.
            final = solver(Field(), start, torch.linspace(0, 1, 5), method="rk4")[-1]
        else:
            final = solve(joint, start, TIMES, Solver("rk4", steps=4), backward=way, parameters=parameters).final  # type: ignore[arg-type]
        return torch.autograd.grad(final.square().mean(), parameters)

    return work


def gradients(bench: Bench) -> None:
    """Seconds of a gradient, and the memory that it takes."""
    for way in WAYS:
        name = f"gradient by {way}, rk4 in 4 steps"
        if not bench.wants(name):
            continue
        peer = "backprop" if way == "checkpoint" else way
        contest = {"ours": bench.timed(step(way, False)), "peer": bench.timed(step(peer, True))}
        seconds = bench.contest(contest)
        # The peer keeps the log density in its adjoint too; a checkpoint it has none.
        goal = ">= 0.6" if way == "checkpoint" else ">= 1"
        seconds.report(bench, name, 1.0, "gradients/s", "ours", "peer", f"torchdiffeq, {peer}", goal)
        gc.collect()
        sizes = [
            measuring.peak_of([__file__, "--memory", f"{which} {who}"])
            for which, who in ((way, "ours"), (peer, "peer"))
        ]
        if all(sizes):
            mine, other = (size["work"] for size in sizes if size is not None)
            bench.figure(f"{name}, memory", mine, "MB", "<= 1.05", peer=other, peer_name=f"torchdiffeq, {peer}")


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--memory", help="measure the memory of one contestant, as this program asks itself to")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory:
        way, who = options.memory.split()
        work = step(way, who == "peer")
        print(measuring.peak_while(work))
        sys.exit()
    bench = measuring.begin(options)
    overhead(bench, 1)
    overhead(bench, 64)
    likelihoods(bench)
    gradients(bench)


if __name__ == "__main__":
    main()
