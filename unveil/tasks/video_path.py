"""The path of a clip in the space of states, in two dimensions, with its frames along it: a picture."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unveil.core.errors import ConfigError, MissingDependencyError
from unveil.core.files import new_file
from unveil.core.numbers import check_whole
from unveil.recipes import Recipe
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run, open_run, recipe_of, shape_of
from unveil.tasks.video_times import check_times

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

FINE = 8
"""Points of the curve from one frame to the next."""
_PICTURES = 8  # frames drawn along the path
_ARROWS = 13  # of the velocity, a side


@dataclass(frozen=True)
class Course:
    """A path in the plane in which its states at whole frames are spread most.

    Attributes:
        times: in frames, (n,).
        points: (n, 2).
        share: of the spread of these states that is in the plane, 0 to 1.
        speed: how far the state moves in a frame's time, (n,).
        known: how many frames were read.
        frames: what the path looks like at every whole frame, (T, C, H, W).
        arrows: places in the plane and the velocities there, seen in the plane, each (m, 2).
    """

    times: "Tensor" = field(repr=False)
    points: "Tensor" = field(repr=False)
    share: float
    speed: "Tensor" = field(repr=False)
    known: int
    frames: "Tensor" = field(repr=False)
    arrows: "tuple[Tensor, Tensor]" = field(repr=False)


def check_path(recipe: Recipe, frames: int | None = None, start: int = 0) -> None:
    """Refuse what has no path, before anything is loaded.

    Raises:
        ConfigError: the run is of another kind, or there are too few frames.
        MissingDependencyError: matplotlib, which draws, is not installed.
    """
    check_times(recipe, "predict", frames=frames, start=start)
    if frames is not None and frames < 2:
        raise ConfigError(f"frames is {frames}; a path is drawn over 2 or more.")
    if find_spec("matplotlib") is None:
        raise MissingDependencyError(
            "The picture of a path is drawn by matplotlib, which is not installed. Install the extra: pip install "
            "'unveil[plots]'."
        )


def course(
    run: Run | str | Path,
    clip: str | Path,
    *,
    frames: int | None = None,
    start: int = 0,
    number: int = 0,
    report: Report | None = None,
) -> Course:
    """Follow the path that the first frames of a clip lead to, and see it in two dimensions.

    The plane is found by principal components, which are the same every time.

    Args:
        run: a run of a model of paths, or its folder.
        clip: a video, a gif, an .npz or .npy file, a folder of frames, or moving-digits.
        frames: how far the path is followed; as far as in training when None.
        start: the first frame that is read.
        number: which clip of moving-digits.
        report: told of what was done to the clip.

    Raises:
        ConfigError, DataError, RunError: as for `video_at`.
    """
    recipe = recipe_of(run)
    check_path(recipe, frames, start)
    check_whole("number", number, 0)
    spec: Any = recipe.model

    import torch

    from unveil.models.ode_video import trajectory
    from unveil.tasks.video_clip import read_known

    run = open_run(run)
    model, count = run.model, spec.window if frames is None else frames
    given = read_known(
        recipe, shape_of(recipe, run.path), clip, spec.known, 0, 0, "predict", start, number, report or Quiet()
    )
    assert given.frames is not None
    at = torch.arange((count - 1) * FINE + 1).double() / FINE
    path = trajectory(model, given.frames.to(model.device)[None], at)
    states = path.states[0].double().cpu()
    centre, plane, share = principal_plane(states[::FINE])
    with torch.no_grad():
        pictures = model.decode(path.states[:, ::FINE])[0].cpu()
        points = (states - centre) @ plane
        arrows = _arrows(model, centre, plane, points)
    speed = path.velocities[0].double().cpu().norm(dim=1)
    return Course(at, points, share, speed, spec.known, pictures, arrows)


def principal_plane(states: "Tensor") -> "tuple[Tensor, Tensor, float]":
    """The middle of states (n, d), two directions in which they are spread most, (d, 2), and the share of these two."""
    import torch

    centre = states.mean(0)
    _, spread, directions = torch.linalg.svd(states - centre, full_matrices=False)
    plane = torch.zeros(states.shape[1], 2, dtype=states.dtype)
    plane[:, : min(2, len(directions))] = directions[:2].T
    largest = plane.gather(0, plane.abs().argmax(0, keepdim=True))
    plane = torch.where(largest < 0, -plane, plane)  # a direction has no sign of its own
    total = float(spread.square().sum())
    return centre, plane, float(spread[:2].square().sum()) / total if total else 1.0


def _arrows(model: Any, centre: "Tensor", plane: "Tensor", points: "Tensor") -> "tuple[Tensor, Tensor]":
    import torch

    low, high = points.amin(0), points.amax(0)
    margin = 0.15 * (high - low).clamp(min=1e-6)
    across, up = (torch.linspace(float(a), float(b), _ARROWS) for a, b in zip(low - margin, high + margin, strict=True))
    places = torch.cartesian_prod(across, up).double()
    states = (centre + places @ plane.T).float().to(model.device)
    return places, model.field(torch.tensor(0.0, dtype=torch.float64), states).double().cpu() @ plane


def places_beside(curve: "np.ndarray", dots: "np.ndarray") -> "list[np.ndarray]":
    """Where the pictures of some dots of a curve go, each (2,): near them, in the drawing, off the curve and off one another.

    A picture with its number is about a quarter as wide as the curve.

    Args:
        curve: its points, (n, 2).
        dots: those that have a picture, (m, 2), in the order in which they choose.
    """
    import numpy as np

    size, middle = max(float(np.ptp(curve, axis=0).max()), 1e-6), (curve.max(0) + curve.min(0)) / 2
    turns = 2 * np.pi * np.arange(16) / 16
    ways = np.concatenate([far * np.stack([np.cos(turns), np.sin(turns)], 1) for far in (0.2, 0.28, 0.38, 0.5)])
    found: list[np.ndarray] = []
    for dot in dots:
        places = dot + size * ways
        hidden = (np.abs(places[:, None] - curve).max(2) < 0.13 * size).mean(1)
        upon = [(np.abs(places - other).max(1) < 0.25 * size) for other in found]
        outside = np.abs(places - middle).max(1) > 0.63 * size
        worth = 4 * outside + 2 * np.sum([np.zeros(len(places)), *upon], 0) + 2 * hidden + np.hypot(*ways.T)
        found.append(places[int(worth.argmin())])
    return found


def draw(course: Course, out: Path, *, title: str = "") -> None:
    """Draw a path as a .png: the curve, coloured by time, its frames along it, and below how fast it goes.

    What is there is replaced.
    """
    import numpy as np
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    figure = Figure(figsize=(8, 8.6), layout="constrained")
    axes, below = figure.subplots(2, 1, height_ratios=(5, 1))
    points, times = course.points.numpy(), course.times.numpy()
    places, velocities = (part.numpy() for part in course.arrows)
    axes.quiver(*places.T, *velocities.T, color="0.8", width=0.0025, zorder=0)
    curve = LineCollection(list(np.stack([points[:-1], points[1:]], 1)), cmap="viridis", linewidth=2.5, zorder=2)
    curve.set_array(times[:-1])
    axes.add_collection(curve)
    dots = points[::FINE]
    axes.scatter(*dots.T, c=times[::FINE], cmap="viridis", s=26, zorder=3, edgecolor="white", linewidth=0.6)
    axes.scatter(*dots[0], marker="*", s=220, color="tab:red", zorder=4, label="first frame")
    if course.known <= len(dots):
        axes.scatter(*dots[course.known - 1], marker="s", s=60, color="tab:blue", zorder=4, label="last frame read")
    shown = np.unique(np.linspace(0, len(dots) - 1, _PICTURES).round().astype(int))
    for place, where in zip(shown, places_beside(points, dots[shown]), strict=True):
        picture = course.frames[place].clamp(-1, 1).add(1).div(2).permute(1, 2, 0).numpy()
        picture = picture[..., 0] if picture.shape[2] == 1 else picture
        image = OffsetImage(picture, zoom=52 / picture.shape[0], cmap="gray", clim=(0, 1))
        line = {"arrowstyle": "-", "color": "0.5"}
        axes.add_artist(AnnotationBbox(image, tuple(dots[place]), xybox=tuple(where), pad=0.1, arrowprops=line))
        beside = {"textcoords": "offset points", "xytext": (0, 31), "ha": "center", "fontsize": 8}
        axes.annotate(f"{place}", tuple(where), **beside)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.25)
    axes.set_xlabel("first principal component")
    axes.set_ylabel("second")
    axes.legend(loc="best", fontsize=8)
    axes.set_title(f"{title}{'; ' if title else ''}{course.share:.0%} of the spread is in this plane", fontsize=10)
    figure.colorbar(curve, ax=axes, label="time in frames", shrink=0.8)
    below.plot(times, course.speed.numpy(), color="0.3")
    below.axvline(course.known - 1, color="tab:blue", linewidth=1)
    below.set(xlabel="time in frames", ylabel="speed", ylim=(0, None), xlim=(times[0], times[-1]))
    with new_file(out, force=True) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
