"""From marked points, or what an estimator found in a picture, to poses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole, shape_numbers
from unveil.tasks import pose_choices
from unveil.tasks.pose_run import check_poser, load_poser
from unveil.tasks.report import Quiet, Report
from unveil.tasks.run import Run

if TYPE_CHECKING:
    from torch import Tensor

    from unveil.body import Body, Pose
    from unveil.body.estimation import PoseEstimate

PICTURES = (*pose_choices.PICTURES, ".tif", ".tiff")
_T = TypeVar("_T")
FILES = (".json", ".npz", ".pkl")


@dataclass(frozen=True)
class Estimated:
    """What was estimated of one person.

    Attributes:
        estimates: the likely poses, the best first.
        body: whose they are.
        people: how many the file holds.
    """

    estimates: "tuple[PoseEstimate, ...]" = field(repr=False)
    body: "Body" = field(repr=False)
    people: int

    def standing(self, which: int = 0) -> "Pose":
        """One of the poses with its lowest point on the floor, y = 0, and its pelvis above the origin.

        As they were estimated bodies are where the camera sees them, metres before it and as high as it stands.
        """
        from unveil.body import Pose

        pose = self.estimates[which].pose
        skin = self.body(pose.rotations, pose.betas, pose.gender, pelvis=pose.pelvis).vertices[0]
        below = pose.pelvis.new_tensor([float(pose.pelvis[0, 0]), float(skin[:, 1].min()), float(pose.pelvis[0, 2])])
        return Pose(pose.rotations, pose.pelvis - below, pose.betas, pose.gender)

    def picture(self, image: "Tensor | None" = None) -> "Tensor":
        """The poses seen from the camera, the best first, after the picture with its points; (3, H, W) in [-1, 1]."""
        import torch

        from unveil.body import draw
        from unveil.tasks.pose_render import HEIGHT, body_figure

        shown = [draw(body_figure(self.body, one.pose), height=HEIGHT, turn=0.0, tilt=4.0) for one in self.estimates]
        if image is not None:
            scale = HEIGHT / image.shape[1]
            small = torch.nn.functional.interpolate(image[None], scale_factor=scale, mode="bilinear", antialias=True)[0]
            small = torch.nn.functional.interpolate(small[None], size=(HEIGHT, small.shape[2]))[0]
            shown.insert(0, _marked(small.expand(3, -1, -1).clone(), self.estimates[0], scale))
        return torch.cat(shown, 2)


def check_estimating(given: Path, image: Path | None) -> None:
    """Refuse what no pose can be told of, without loading torch.

    Raises:
        ConfigError: a picture alone, or a file of another kind.
    """
    suffix = given.suffix.lower()
    if suffix in PICTURES:
        raise ConfigError(
            f"'{given}' is a picture, and no detector of people comes with the library. Mark the joints: write their pixels to "
            'a .json, {"points": {"left_wrist": [x, y], ...}}, or click them in the editor (unveil pose edit --image '
            f"{given}); then: unveil pose estimate POINTS.json --image {given}"
        )
    if suffix not in FILES:
        raise ConfigError(f"'{given}' cannot be estimated from; give {', '.join(FILES)}, or see --help.")
    if image is not None and image.suffix.lower() not in PICTURES:
        raise ConfigError(f"--image {image} is no picture; its name must end in {', '.join(PICTURES)}.")


def estimate(
    given: str | Path,
    run: "Run | str | Path | None" = None,
    *,
    image: str | Path | None = None,
    size: tuple[int, int] | None = None,
    focal: float | None = None,
    person: int = 0,
    gender: str = "neutral",
    betas: Sequence[float] | None = None,
    report: Report | None = None,
) -> Estimated:
    """Find the pose of a person whose points were marked, or who was estimated before.

    Args:
        given: a JSON file of points, or an .npz, .pkl or .json of SMPL parameters.
        run: what knows poses; the one that comes with the library when None.
        image: the picture in which the points lie.
        size: height and width of it in pixels instead.
        focal: focal length of its camera in pixels; that of an everyday lens when None.
        person: which of several, from 0.
        gender: of a person of whom only points are known.
        betas: the shape, up to ten numbers; it is estimated too when None.
        report: told how far it is.

    Raises:
        ConfigError, DataError, RunError: a file, a number or the run cannot be used.
    """
    given = Path(given)
    check_estimating(given, None if image is None else Path(image))
    check_whole("person", person, 0)
    shape = None if betas is None else shape_numbers(betas)
    check_poser(run)

    import torch

    from unveil.body.estimation import Camera, KeypointFit, PoseEstimate, read_people

    model = load_poser(run)
    people = read_people(given, model.body)
    points = _one(people, person, given)
    if isinstance(points, PoseEstimate):
        return Estimated((points,), model.body, len(people))
    camera = None
    if points.flat:
        height, width = _size(image, size)
        camera = Camera.of_picture(height, width, focal)
        inside = (points.points >= 0) & (points.points <= torch.tensor([width, height]))
        if not inside.all(1).any():
            raise ConfigError(
                f"None of the points lies in a picture {height} pixels high and {width} wide; give the one they are of."
            )
    fit = KeypointFit(model.body, model)
    known = None if shape is None else torch.tensor(shape)
    with (report or Quiet()).bar("pose") as bar:
        estimates = fit(points, camera, gender=gender, betas=known, progress=bar)
    return Estimated(tuple(estimates), model.body, len(people))


def _one(people: Sequence[_T], person: int, given: Path) -> _T:
    if person >= len(people):
        raise ConfigError(f"person is {person}; '{given}' holds {len(people)} people, counted from 0.")
    return people[person]


def _size(image: str | Path | None, size: tuple[int, int] | None) -> tuple[int, int]:
    if size is not None:
        if image is not None:
            raise ConfigError("Both a picture (--image) and its size (--size) were given; one of them tells.")
        for name, number in zip(("height", "width"), size, strict=True):
            check_whole(name, number)
        return size
    if image is None:
        raise ConfigError(
            "Points in pixels need the size of their picture; name the picture (--image) or its size (--size 720x1280)."
        )
    from unveil.tasks.pictures import read_picture

    height, width = read_picture(image)[0].shape[-2:]
    return int(height), int(width)


def _marked(image: "Tensor", one: "PoseEstimate", scale: float) -> "Tensor":
    """The picture with a dot at each point."""
    import torch

    if one.keypoints is None or not one.keypoints.flat:
        return image
    y, x = torch.meshgrid(torch.arange(image.shape[1]), torch.arange(image.shape[2]), indexing="ij")
    for column, row in (one.keypoints.points * scale).tolist():
        near = (x - column) ** 2 + (y - row) ** 2 <= 16
        image[:, near] = torch.tensor([0.8, 0.04, -0.5])[:, None]
    return image
