"""Solvers of ODEs beside torchdiffeq: what an evaluation takes beside a bare call of the network, likelihoods, gradients.

The time of an evaluation is that of a solution divided by how often it called the network; the overhead is what that is
more than a bare call. It is measured with a network so small that nothing else counts, and with that of the digits' flow, 64
pictures at a time. The likelihood is that of a flow of pictures, with tolerances at which both end equally far from the exact
solution. Gradients are those of the same loss through the same network; memory is measured in a process for each.
"""

import gc
import math
import sys
from collections.abc import Callable
from typing import get_args

import measuring
import torch
import torchdiffeq
from measuring import Bench, Times
from torch import Tensor, nn

from unveil.core.random import Streams, randn_like
from unveil.data import open_images
from unveil.networks.dynamics import ConvDynamics
from unveil.ode import Augmented, Method, Solver, solve
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


class Watched:
    """A field, and where it was called."""

    def __init__(self, field: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.field, self.visited = field, list[tuple[Tensor, Tensor]]()

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        """The velocity."""
        self.visited.append((t.clone(), x.clone()))
        return self.field(t, x)


def visited(run: Callable[[Watched], object], field: Callable[[Tensor, Tensor], Tensor]) -> list[tuple[Tensor, Tensor]]:
    watched = Watched(field)
    run(watched)
    return watched.visited


def turns(bench: Bench, method: Method, net: nn.Module, x: Tensor, repeat: int) -> tuple[Times, dict[str, int]]:
    """Seconds of solutions by ours and by torchdiffeq, and of bare calls at the states that ours visits; and their numbers."""
    solver = Solver(method, steps=20, rtol=1e-6, atol=1e-6)
    times = TIMES.float() if solver.adaptive else torch.linspace(0, 1, 21)
    theirs_too = {"heun": "heun2"}.get(method, method)

    def ours(field: Callable[[Tensor, Tensor], Tensor]) -> object:
        return solve(field, x, TIMES, solver)

    def theirs(field: Callable[[Tensor, Tensor], Tensor]) -> object:
        return torchdiffeq.odeint(field, x, times, rtol=1e-6, atol=1e-6, method=theirs_too)

    known = visited(ours, net)
    counts = {"ours": len(known), "peer": len(visited(theirs, net)), "bare": len(known)}

    def bare(field: Callable[[Tensor, Tensor], Tensor]) -> None:
        for t, state in known:
            field(t, state)

    def several(work: Callable[[nn.Module], object]) -> Callable[[], float]:
        return bench.timed(lambda: [work(net) for _ in range(repeat)])

    seconds = bench.contest({"ours": several(ours), "peer": several(theirs), "bare": several(bare)})
    return seconds, {who: repeat * count for who, count in counts.items()}


@torch.no_grad()
def overhead(bench: Bench, batch: int) -> None:
    """Microseconds that a solver adds to each evaluation."""
    for method in get_args(Method):
        name = f"{method}, batch {batch}"
        if not bench.wants(name):
            continue
        seconds, counts = turns(bench, method, Vectors(), torch.randn(batch, 16), REPEAT)
        ours, peer, bare = (1e6 * seconds.best(who) / count for who, count in counts.items())
        bench.figure(f"{name}, an evaluation", ours, "us", "> 0", peer=bare, peer_name="a bare call")
        bench.figure(f"{name}, overhead of an evaluation", ours - bare, "us", AIM)
        bench.figure(
            f"{name}, overhead beside torchdiffeq", ours - bare, "us", "< 1", peer=peer - bare, peer_name="torchdiffeq"
        )


@torch.no_grad()
def share(bench: Bench) -> None:
    """What a solver adds to each evaluation of a network of pictures, 64 at a time."""
    torch.manual_seed(0)
    net, x = ConvDynamics(1, hidden=(32, 32, 32)), torch.randn(64, 1, 8, 8)
    nn.init.normal_(net.layers[-1].weight, std=0.1)
    for method in get_args(Method):
        name = f"{method}, 64 pictures, an evaluation"
        if bench.wants(name):
            seconds, counts = turns(bench, method, net, x, 1)
            ours, peer, bare = (1e6 * seconds.median(who) / count for who, count in counts.items())
            # The median of the rounds' own ratios: a call takes so long that neighbours come and go meanwhile.
            mine = seconds.ratio("bare", "ours")
            theirs = seconds.ratio("bare", "peer") * counts["bare"] / counts["peer"]
            bench.figure(name, ours, "us", "< 1.1", peer=bare, peer_name="a bare call", ratio=mine)
            told = f"{name} by torchdiffeq"
            bench.figure(told, peer, "us", "> 0", peer=bare, peer_name="a bare call", ratio=theirs)


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
            final = solve(joint, start, TIMES, Solver("rk4", steps=4), backward=way, parameters=parameters).final
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
    share(bench)
    likelihoods(bench)
    gradients(bench)


if __name__ == "__main__":
    main()
