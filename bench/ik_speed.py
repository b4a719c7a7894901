"""How long a pose takes: effectors to joints, exact refinement, and skin beside the `smplx` package.

One pose at a time, as an editor asks for it: the network with all checks and forward kinematics, the joints of the answer
again, three steps of refinement as while something is dragged, ten as for a result to keep, and all together. Networks are of
128 (the recipe motions-ik) and of 256 numbers, with weights at random, which take as long as trained ones. Skin is that of a
body with pose-dependent shape, the same arrays for both, frames that have a shape each; the peer is the function that all of
its models call.
"""

import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distributions
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import torch
from measuring import Bench

from unveil.body import PARENTS, Body, BodyArrays, Pose, random_bodies, refine
from unveil.core.random import Streams
from unveil.models.pose_ik import PoseIK, draw_effectors
from unveil.networks.pose_net import PoseNet

POSES = 20
"""That are solved in a turn, one after another."""


def pose(bench: Bench, width: int) -> None:
    """Milliseconds of everything that a pose needs."""
    torch.manual_seed(0)
    model = PoseIK(PoseNet(width), Body.embedded()).eval()
    body, many = model.body, 4 if bench.quick else POSES
    drawn = random_bodies(many, Streams(0, many))
    rot, joints = body.place(drawn.pose, drawn.shape, drawn.gender)
    people = [
        (draw_effectors("release", joints[[i]], rot[[i]], Streams(i, 1)), drawn.shape[[i]], drawn.gender[[i]])
        for i in range(many)
    ]
    # A trained network's answer is some centimetres off; so is this one.
    disturbed = random_bodies(many, Streams(1, many)).pose
    near = torch.linalg.svd(drawn.pose + 0.1 * (disturbed - drawn.pose))
    close = near.U @ near.Vh
    poses = [Pose(close[[i]], joints[[i], 0] + 0.02, shape, gender) for i, (_, shape, gender) in enumerate(people)]

    def each(work: Callable[[int], object]) -> Callable[[], float]:
        return bench.timed(lambda: [work(i) for i in range(many)])

    def whole(i: int) -> None:
        solved = model.solve(*people[i])
        solved.joints(body)
        refine(body, poses[i], people[i][0], 10)

    works = {
        "network and joints": (lambda i: model.solve(*people[i]), "< 3"),
        "joints of a pose": (lambda i: poses[i].joints(body), "< 1"),
        "3 steps of refinement": (lambda i: refine(body, poses[i], people[i][0], 3), "< 5"),
        "10 steps of refinement": (lambda i: refine(body, poses[i], people[i][0], 10), "< 8"),
        "all, with 10 steps of refinement": (whole, "< 10"),
    }
    works = {name: work for name, work in works.items() if bench.wants(f"{name}, width {width}")}
    if not works:
        return
    with torch.no_grad():
        seconds = bench.contest({name: each(work) for name, (work, _) in works.items()})
    for name, (_, goal) in works.items():
        for which, taken in (("best", seconds.best(name)), ("median", seconds.median(name))):
            bench.figure(f"{name}, width {width}, {which}", 1000 * taken / many, "ms", goal)


def peer(place: str | None) -> tuple[Any, str]:
    """The other library's function, or None, and what to call it."""
    if place is not None:
        sys.path.append(place)
    try:
        from smplx.lbs import lbs
    except ImportError:
        return None, "smplx (absent)"
    try:
        found = [d.version for d in distributions(path=[place or "", *sys.path]) if d.name == "smplx"]
    except PackageNotFoundError:
        found = []
    return lbs, f"smplx {found[0] if found else ''}".strip()


def skin(bench: Bench, batch: int, place: str | None) -> None:
    """Frames a second of posed skin."""
    name = f"skin of {batch} {'frame' if batch == 1 else 'frames'} at a time"
    if not bench.wants(name):
        return
    lbs, called = peer(place)
    plain = Body.embedded()
    corrections = 1e-3 * np.random.default_rng(0).standard_normal((*plain.template[0].shape, 207))
    body = Body(
        {
            "neutral": BodyArrays(
                *(values[2].numpy() for values in (plain.template, plain.directions)),
                corrections.astype(np.float32),
                *(values[2].numpy() for values in (plain.regressor, plain.weights)),
                plain.faces.numpy(),
            )
        }
    )
    drawn = random_bodies(batch, Streams(0, batch))
    parents = torch.tensor(PARENTS)
    assert body.pose_directions is not None
    theirs: dict[str, Any] = {
        "v_template": body.template.expand(batch, -1, -1),
        "shapedirs": body.directions[0],
        "posedirs": body.pose_directions[0],
        "J_regressor": body.regressor[0],
        "parents": parents,
        "lbs_weights": body.weights[0],
        "pose2rot": False,
    }
    repeat = max(1, (8 if bench.quick else 64) // batch)
    works: dict[str, Callable[[], object]] = {"ours": lambda: body(drawn.pose, drawn.shape)}
    if lbs is not None:
        works["peer"] = lambda: lbs(drawn.shape, drawn.pose, **theirs)
        ours, other = body(drawn.pose, drawn.shape).vertices, lbs(drawn.shape, drawn.pose, **theirs)[0]
        torch.testing.assert_close(ours, other, atol=1e-4, rtol=0)  # the same frames
    with torch.inference_mode():
        seconds = bench.contest(
            {who: bench.timed(lambda work=work: [work() for _ in range(repeat)]) for who, work in works.items()}
        )
    frames = repeat * batch
    if lbs is None:
        bench.figure(f"{name}, best", frames / seconds.best("ours"), "frames/s", ">= 1", peer_name=called)
    else:
        seconds.report(bench, name, frames, "frames/s", "ours", "peer", called, ">= 1")


def main() -> None:
    arguments = measuring.parser(__doc__.splitlines()[0])
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    bench = measuring.begin(options)
    for width in (128, 256):
        pose(bench, width)
    for batch in (1, 16, 64):
        skin(bench, batch, options.peers and str(Path(options.peers).resolve()))


if __name__ == "__main__":
    main()
