"""`unveil pose`: bodies posed by a few effectors, and what belongs to it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unveil.cli.console import ConsoleReport, stdout
from unveil.cli.options import (
    Force,
    JsonOut,
    RunArgument,
    Seed,
    check_json,
    check_not_read,
    check_picture,
    read_numbers,
    read_size,
)
from unveil.core.errors import ConfigError
from unveil.core.files import check_new
from unveil.core.json_file import write_json
from unveil.tasks.pose_character import BODY
from unveil.tasks.pose_choices import POSES, REFINED, WRITTEN

if TYPE_CHECKING:
    from torch import Tensor

Given = Annotated[
    Path | None, typer.Option("--run", help="The folder of a run; the one that comes with unveil without it.")
]
PoseOut = Annotated[
    Path, typer.Option(help=f"Where the pose goes: {', '.join(WRITTEN)}.", show_default=False, metavar="FILE")
]
Show = Annotated[Path | None, typer.Option(help="Also draw it, a .png.", metavar="FILE")]
Gender = Annotated[str | None, typer.Option(help="male, female or neutral; the file's, or neutral, without it.")]
Betas = Annotated[
    str | None,
    typer.Option(help="The shape: up to ten numbers with commas between, each from -5 to 5; the average without it."),
]
Units = Annotated[
    str | None, typer.Option(help="What a length of 1 is in the file: m, cm, mm, inch, cmu, or a number of metres.")
]
Map = Annotated[
    Path | None,
    typer.Option(help='A .json that names the joints, {"left_knee": "its name there", ...}; found without it.'),
]


def solve(
    out: PoseOut,
    effectors: Annotated[Path, typer.Option(help="A .json with a list of effectors.", show_default=False)],
    run: Given = None,
    betas: Betas = None,
    gender: Gender = None,
    refine: Annotated[int, typer.Option(help="Steps until the effectors are met; 0 is the network alone.")] = REFINED,
    free: Annotated[bool, typer.Option("--free", help="Let joints turn beyond a human's limits.")] = False,
    show: Show = None,
    force: Force = False,
) -> None:
    """Find a pose that does what effectors ask."""
    from unveil.tasks.pose_solve import solve as solve_task
    from unveil.tasks.pose_solve import write_pose

    _check(out, WRITTEN, force, show)
    check_not_read(out, effectors)
    found = solve_task(
        effectors, run, betas=read_numbers(betas, "--betas"), gender=gender, refine=refine, limits=not free
    )
    write_pose(found.pose, out, found.body, found.effectors, scale=found.scale, floor=found.floor)
    for note in found.notes:
        stdout().print(note, markup=False)
    met = sum(found.reached)
    stdout().print(f"The pose is in {out}; {met} of {len(found.reached)} effectors are met.", markup=False)
    if show is not None:
        _draw(found.picture(), show, force)


def shape(
    character: Annotated[Path, typer.Argument(help="A character: .glb, .gltf or .bvh.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Also write the shape here, a .json.", metavar="FILE")] = None,
    gender: Annotated[str, typer.Option(help="male, female or neutral.")] = "neutral",
    joints: Map = None,
    units: Units = None,
    polish: Annotated[bool, typer.Option("--polish", help="Improve the answer by least squares.")] = False,
    body: Annotated[
        Path | None, typer.Option(help="A file or folder of a body model, such as SMPL; the embedded one without it.")
    ] = None,
    show: Show = None,
    force: Force = False,
) -> None:
    """Find the body that has a character's proportions."""
    from unveil.tasks.pose_character import shape as shape_task

    _check(out, (".json",), force, show)
    found = shape_task(character, gender=gender, joint_map=joints, units=_unit(units), polish=polish, body=body)
    from unveil.body.shape_inversion import FEATURES

    fit = found.inversion
    numbers = ", ".join(f"{x:.2f}" for x in fit.shape.tolist())
    stdout().print(f"shape {numbers}; {fit.scale:.3f} times that body's size", markup=False)
    for (start, end), theirs, ours in zip(FEATURES, fit.features.tolist(), fit.found.tolist(), strict=True):
        stdout().print(f"  {start} to {end}: {theirs:.3f}, body {ours:.3f}", markup=False)
    stdout().print(
        f"mean error {1000 * fit.error / fit.scale:.1f} mm at human size, from {fit.samples:.0f} bodies like it",
        markup=False,
    )
    if out is not None:
        about = {"betas": fit.shape.tolist(), "scale": fit.scale, "gender": fit.gender, "error": fit.error}
        write_json(out, about, force=force)
        stdout().print(f"The shape is in {out}", markup=False)
    if show is not None:
        _draw(found.picture(), show, force)


def retarget(
    motion: Annotated[Path, typer.Argument(help="A motion: .npz, .bvh, .glb or .gltf.", show_default=False)],
    to: Annotated[
        str, typer.Option(help=f"A character, .glb, .gltf or .bvh; or {BODY}, that of unveil.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Where the motion goes: .glb or .bvh.", show_default=False)],
    units: Units = None,
    to_units: Annotated[str | None, typer.Option(help="The same of the character's file.")] = None,
    joints: Map = None,
    to_joints: Annotated[Path | None, typer.Option(help="The same of the character's joints.")] = None,
    plant: Annotated[
        bool, typer.Option("--plant", help="Make feet stand still exactly that stand still in the motion.")
    ] = False,
    show: Show = None,
    force: Force = False,
) -> None:
    """Give a motion to another character."""
    from unveil.tasks.pose_character import retarget as retarget_task

    _check(out, (".glb", ".bvh", ".bvh.gz"), force, show)
    check_not_read(out, motion, Path(to))
    found = retarget_task(
        motion, to, units=_unit(units), to_units=_unit(to_units), joint_map=joints, to_map=to_joints, plant=plant
    )
    found.write(out)
    stdout().print(f"{out} holds {_some(len(found.motion), 'frame')} at {found.motion.fps:g} a second", markup=False)
    if show is not None:
        _draw(found.picture(), show, force)


def recover(
    pose: Annotated[Path, typer.Argument(help=f"A pose or motion: {', '.join(POSES)}.", show_default=False)],
    most: Annotated[int, typer.Option("-n", help="Effectors at most.")] = 8,
    out: Annotated[Path | None, typer.Option(help="Where they go, a .json.", metavar="FILE")] = None,
    run: Given = None,
    frame: Annotated[int, typer.Option(help="Which of a motion.")] = 0,
    tolerance: Annotated[float, typer.Option(help="Mean error of the joints that is near enough, mm.")] = 10.0,
    refine: Annotated[int, typer.Option(help="Steps of refinement after the network.")] = 0,
    show: Show = None,
    force: Force = False,
) -> None:
    """Choose the few effectors with which a pose is found again."""
    from unveil.body.effector_lists import KINDS
    from unveil.body.joints import JOINTS
    from unveil.tasks.pose_lists import plain_pose
    from unveil.tasks.pose_solve import recover as recover_task

    if most < 1:
        raise ConfigError(f"-n is {most}; it must be 1 or more.")
    _check(out, (".json",), force, show)
    check_not_read(out, pose)
    found = recover_task(pose, run, most=most, frame=frame, tolerance=tolerance / 1000, refine=refine)
    rows = zip(found.effectors.kind[0].tolist(), found.effectors.joint[0].tolist(), found.errors, strict=False)
    for number, (kind, joint, error) in enumerate(rows):
        stdout().print(f"{number + 1}. {KINDS[kind]} of {JOINTS[joint]}: {1000 * error:.0f} mm", markup=False)
    if out is not None:
        joints = found.pose.joints(found.body)[0][0]
        write_json(out, plain_pose(found.pose, found.effectors, joints), force=force)
        stdout().print(f"The effectors are in {out}", markup=False)
    if show is not None:
        _draw(found.picture(), show, force)


def estimate(
    given: Annotated[
        Path,
        typer.Argument(
            help="Points that were marked on a person, a .json; or what an estimator of SMPL wrote, .npz, .pkl or .json.",
            show_default=False,
        ),
    ],
    out: PoseOut,
    run: Given = None,
    image: Annotated[Path | None, typer.Option(help="The picture in which the points lie.")] = None,
    size: Annotated[str | None, typer.Option(help="Height and width of it instead, such as 720x1280.")] = None,
    focal: Annotated[float | None, typer.Option(help="Focal length in pixels; an everyday lens without it.")] = None,
    person: Annotated[int, typer.Option(help="Which of several people.")] = 0,
    which: Annotated[int, typer.Option(help="Which of the likely poses is written; 0 is the best.")] = 0,
    floor: Annotated[
        bool, typer.Option("--floor", help="Stand the body on the floor at the origin, not where the camera sees it.")
    ] = False,
    betas: Betas = None,
    gender: Annotated[str, typer.Option(help="male, female or neutral.")] = "neutral",
    show: Show = None,
    force: Force = False,
) -> None:
    """From marked points, or an estimator's file, to a pose."""
    from unveil.tasks.pose_estimate import check_estimating
    from unveil.tasks.pose_estimate import estimate as estimate_task
    from unveil.tasks.pose_solve import write_pose

    check_estimating(given, image)
    _check(out, WRITTEN, force, show)
    check_not_read(out, given)
    check_not_read(show, image)
    if which < 0:
        raise ConfigError(f"--which is {which}; it must be 0 or more.")
    pixels = read_size(size)
    found = estimate_task(
        given, run, image=image, size=pixels, focal=focal, person=person, gender=gender, betas=read_numbers(betas, "--betas"),
        report=ConsoleReport(),
    )  # fmt: skip
    if which >= len(found.estimates):
        raise ConfigError(f"--which is {which}; {len(found.estimates)} poses were found, counted from 0.")
    pose = found.standing(which) if floor else found.estimates[which].pose
    write_pose(pose, out, found.body)
    others = len(found.estimates) - 1
    more = f"; {_some(others, 'other')} {'is' if others == 1 else 'are'} likely too (--which, --show)" if others else ""
    stdout().print(f"The pose is in {out}{more}", markup=False)
    if show is not None:
        from unveil.tasks.pictures import read_picture

        _draw(found.picture(None if image is None else read_picture(image)[0]), show, force)


def evaluate(
    run: RunArgument,
    data: Annotated[str | None, typer.Option(help="Motions; those of the run's recipe without it.")] = None,
    protocol: Annotated[
        str, typer.Option(help="How effectors are drawn: thesis, release, protores or six.", metavar="NAME")
    ] = "release",
    n: Annotated[int, typer.Option("-n", help="Poses, spread evenly over the data's test part.")] = 200,
    draws: Annotated[int, typer.Option(help="Of effectors for each pose; published figures have 20 or more.")] = 5,
    refine: Annotated[int, typer.Option(help="Steps of refinement of the second row.")] = REFINED,
    seed: Seed = 0,
    out: JsonOut = None,
    force: Force = False,
) -> None:
    """Measure how well poses are found again from some effectors, with and without refinement and without the network."""
    from unveil.tasks.pose_evaluate import evaluate as evaluate_task

    check_json(out, force)
    rows = evaluate_task(
        run, data, protocol=protocol, poses=n, draws=draws, refine=refine, seed=seed, report=ConsoleReport()
    )
    stdout().print(f"protocol {protocol}, {n} poses, {draws} draws of effectors; mm, and radians", markup=False)
    for name, row in rows.items():
        stdout().print(
            f"{name}: MPJPE {row.mpjpe:.1f} (absolute {row.mpjpe_abs:.1f}), PA-MPJPE {row.pa_mpjpe:.1f}, geodesic "
            f"{row.geodesic:.3f}; positions missed by {row.position or 0:.1f}",
            markup=False,
        )
    if out is not None:
        write_json(out, {name: asdict(row) for name, row in rows.items()}, force=force)


def _check(out: Path | None, suffixes: tuple[str, ...], force: bool, show: Path | None) -> None:
    if out is not None:
        if not out.name.lower().endswith(suffixes):
            raise ConfigError(f"--out is {out}; its name must end in {', '.join(suffixes)}.")
        check_new(out, force, option="--out")
    check_picture(show, force)


def _some(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _draw(picture: "Tensor", show: Path, force: bool) -> None:
    from unveil.data import save_images

    save_images(picture[None], show, force=force)
    stdout().print(f"The picture is {show}", markup=False)


def _unit(text: str | None) -> str | float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
