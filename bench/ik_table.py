"""Poses found again from some of their joints: by the network, with steps of refinement, by refinement alone, and by guessing.

Held-out poses of a run are given as effectors by each protocol, which the name of a figure begins with: "thesis" 2 to 64 of
any kind, "release" 3 to 16 with three positions at least, "protores" 6 to 12 with one position at the hips, the head and each
limb, "six" positions of pelvis, neck, wrists and ankles. Contestants are the network alone, the network and ten steps of
refinement, refinement from the rest pose until nothing moves, and the mean pose of the training data moved to where positions
are asked. Distances are means over all poses and draws, mm; times are those of one pose at a time. Without --run the recipe
is trained first; data that a recipe does not bring are named by --data.
"""

import time
from argparse import Namespace
from collections.abc import Callable

import measuring
import torch
from measuring import Bench
from torch import Tensor

import unveil
from unveil.body import Effectors, Pose, refine
from unveil.core.protocols import Dataset
from unveil.core.random import Streams
from unveil.geometry import nearest_rotation
from unveil.models.pose_ik import PROTOCOLS, PoseIK, draw_effectors
from unveil.recipes import resolve
from unveil.recipes.build import build_data, build_model
from unveil.tasks.pose_quality import PoseQuality, measure_poses
from unveil.training.trainer import fit

STEPS, ALONE = 10, 50
"""Of refinement after the network, and from the rest pose."""
FIGURES = {"mpjpe": "mm", "mpjpe_abs": "mm", "pa_mpjpe": "mm", "geodesic": "rad", "position": "mm"}
USABLE = {
    "release": {"mpjpe": 110, "pa_mpjpe": 95, "geodesic": 0.25},
    "thesis": {"mpjpe": 87, "pa_mpjpe": 73, "geodesic": 0.23},
    "six": {"mpjpe": 80, "geodesic": 0.23},
}
"""What the network alone must reach on embedded motions."""

Solver = Callable[[Effectors, Tensor, Tensor], Pose]


def opened(options: Namespace, bench: Bench) -> tuple[PoseIK, Dataset, Dataset, str]:
    """A trained model, its training data and its test data, and the recipe's name."""
    if options.run:
        run = unveil.load(options.run, device="cpu")
        model, recipe = run.model, run.recipe
    else:
        changes = ["model.network.width=32", "training.steps=30"] if bench.quick else []
        recipe = resolve(options.recipe, changes)
    source = options.data or recipe.data.source
    train, test = (build_data(recipe, source=source, split=split) for split in ("train", "test"))
    if not options.run:
        model = build_model(recipe, train.shape)
        begin = time.process_time()
        fit(model, train, recipe.training.steps, recipe.training.options(), progress=False, device="cpu")
        bench.figure(f"{recipe.name}, training, cpu", time.process_time() - begin, "s", "< 1800")
    return model.eval(), train, test, recipe.name


def contestants(model: PoseIK, train: Dataset) -> dict[str, Solver]:
    """Who solves."""
    body = model.body

    def exact(asked: Effectors, betas: Tensor, gender: Tensor) -> Pose:
        return refine(body, model.solve(asked, betas, gender), asked, STEPS).pose

    def alone(asked: Effectors, betas: Tensor, gender: Tensor) -> Pose:
        return refine(body, Pose.rest(body, betas, gender), asked, ALONE).pose

    places = [i * len(train) // 2000 for i in range(min(2000, len(train)))]
    mean = nearest_rotation(train.batch(places)[0].mean(0))

    def guess(asked: Effectors, betas: Tensor, gender: Tensor) -> Pose:
        pose = Pose(mean.expand(len(asked), -1, -1, -1), betas.new_zeros(len(asked), 3), betas, gender)
        joints = pose.joints(body)[0][torch.arange(len(asked))[:, None], asked.joint]
        here = torch.cat([joints, torch.zeros_like(joints)], -1)
        own = Effectors(asked.kind, asked.joint, torch.where((asked.kind == 0)[..., None], here, asked.data),
                        asked.tolerance, asked.weight)  # fmt: skip
        return Pose(pose.rotations, asked.centre() - own.centre(), betas, gender)

    return {
        "network": model.solve,
        f"network and {STEPS} steps": exact,
        f"{ALONE} steps from the rest pose": alone,
        "mean pose": guess,
    }


def qualities(
    bench: Bench, who: dict[str, Solver], model: PoseIK, test: Dataset, protocol: str, title: str, options: Namespace
) -> None:
    """The figures of one protocol."""
    poses, draws = (50, 2) if bench.quick else (options.poses, options.draws)
    found: dict[str, PoseQuality] = {}
    for name, solver in who.items():
        if bench.wants(f"{title}, {protocol}, {name}"):
            found[name] = measure_poses(solver, test, model.body, protocol, poses=poses, draws=draws)
    _, refined, rest, _ = who
    for name, quality in found.items():
        for figure, unit in FIGURES.items():
            goal, peer = "> 0", None
            if name == "network" and title == "motions-ik" and figure in USABLE.get(protocol, {}):
                goal = f"<= {USABLE[protocol][figure]:g}"
            if name == refined and rest in found and figure != "position":
                goal, peer = "< 1", getattr(found[rest], figure)
            bench.figure(f"{title}, {protocol}, {name}, {figure}", getattr(quality, figure), unit, goal, peer=peer,
                         peer_name=None if peer is None else rest)  # fmt: skip


def times(bench: Bench, who: dict[str, Solver], model: PoseIK, test: Dataset, title: str) -> None:
    """Milliseconds of a pose, one at a time."""
    many = 3 if bench.quick else 12
    pose, known = test.batch(range(many))
    rot, joints = model.body.place(pose, known["shape"], known["gender"], pelvis=torch.zeros(3))
    asked = [draw_effectors("release", joints[[i]], rot[[i]], Streams(i, 1)) for i in range(many)]
    seconds = bench.contest(
        {
            name: bench.timed(
                lambda solver=solver: [solver(asked[i], known["shape"][[i]], known["gender"][[i]]) for i in range(many)]
            )
            for name, solver in who.items()
        }
    )
    _, refined, rest, _ = who
    for name in who:
        goal, peer = ("< 1", 1000 * seconds.best(rest) / many) if name == refined else ("> 0", None)
        milliseconds = 1000 * seconds.best(name) / many
        bench.figure(f"{title}, release, {name}, time of one pose", milliseconds, "ms", goal, peer=peer,
                     peer_name=None if peer is None else rest)  # fmt: skip


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    arguments.add_argument("--run", help="a run that has been trained before")
    arguments.add_argument("--recipe", default="motions-ik", help="what is trained without one (motions-ik)")
    arguments.add_argument("--data", help="its data, where the recipe brings none or they are elsewhere now")
    arguments.add_argument("--poses", type=int, default=500, help="that are measured (500)")
    arguments.add_argument("--draws", type=int, default=20, help="of effectors of each pose (20)")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    model, train, test, title = opened(options, bench)
    who = contestants(model, train)
    for protocol in PROTOCOLS:
        qualities(bench, who, model, test, protocol, title, options)
    times(bench, who, model, test, title)


if __name__ == "__main__":
    main()
