"""From marked points to a full pose: what the points show decides where it can, a solver's idea of poses where it cannot."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unveil.body.effectors import POSITION, Effectors, Pose, PoseSolver
from unveil.body.estimation.estimate import Camera, PoseEstimate
from unveil.body.estimation.keypoints import Keypoints
from unveil.body.estimation.marked import Marked
from unveil.body.joints import GENDERS, JOINTS, find_gender
from unveil.body.key_poses import key_poses
from unveil.body.limits import LIMITS, angles_to_pose, pose_to_angles
from unveil.body.parametric import Body
from unveil.core.errors import ConfigError
from unveil.core.numbers import check_whole
from unveil.core.protocols import Progress
from unveil.geometry import axis_angle_to_matrix

_STARTS = 4
_SHAPE = 0.01
_SAME = 0.02  # metres between joints on average


@dataclass(frozen=True, eq=False)
class KeypointFit:
    """Fit a body to the marked points of one person.

    Where the points are pixels the body is turned to four sides, brought to where it would look as large as the person does,
    and then posed so that its points are seen where they were marked, while a solver that learned how people stand is asked
    again and again for the pose that fits the joints as they are. The four answers often differ in what is nearer and what is
    farther than it seems, which one picture cannot tell, so all are given, the best first.

    Args:
        body: whose shape and joints are fitted.
        solver: for what the points leave open; without it, towards standing upright.
        iterations: of L-BFGS, with the root alone and in each of two rounds with all.
        pull: how much the solver's pose counts.
        blunt: an error of so many metres at the body's distance counts about half of one twice as large.

    Source: Bogo et al. (2016), Keep it SMPL, arXiv:1607.08128, section 3.3 (the robust error); Voleti et al. (2022),
        arXiv:2208.08274, section 3 (a learned solver for labelling).
    """

    body: Body
    solver: PoseSolver | None = None
    iterations: tuple[int, int, int] = (30, 60, 60)
    pull: float = 0.3
    blunt: float = 0.25

    def __post_init__(self) -> None:
        for number in self.iterations:
            check_whole("iterations", number)

    def __call__(
        self,
        keypoints: Keypoints,
        camera: Camera | None = None,
        *,
        gender: str = "neutral",
        betas: Tensor | None = None,
        progress: Progress | None = None,
    ) -> list[PoseEstimate]:
        """Find poses.

        Args:
            keypoints: of one person; pixels need a camera.
            camera: of the picture.
            gender: of the person.
            betas: the shape, (10,), if it is known; it is fitted too without it.
            progress: told (rounds done, rounds in all).

        Returns:
            The different poses that were found, the best first; one only, if the points are places in space.

        Raises:
            ConfigError: pixels without a camera.
        """
        if keypoints.flat and camera is None:
            raise ConfigError(
                "Points in a picture need its camera; Camera.of_picture(height, width) is an everyday one."
            )
        find_gender(gender)
        seen = Marked.of(keypoints, camera if keypoints.flat else None)
        starts = _STARTS if keypoints.flat else 1
        found = []
        for number in range(starts):
            fit = self._start(seen, number, gender, betas)
            for stage, iterations in enumerate(self.iterations):
                fit = self._improve(fit, seen, iterations, root_only=stage == 0, shape=betas is None and stage > 0)
                if progress is not None:
                    progress(number * len(self.iterations) + stage + 1, starts * len(self.iterations))
            found.append(fit)
        found.sort(key=lambda fit: fit.energy)
        found = self._distinct(found)
        return [
            PoseEstimate(
                fit.pose.rotations[0],
                fit.pose.pelvis[0],
                fit.pose.betas[0],
                gender,
                seen.camera,
                score=-fit.energy,
                keypoints=keypoints,
            )
            for fit in found
        ]

    def _distinct(self, found: "list[_Fit]") -> "list[_Fit]":
        """Those that do not stand as a better one does, wherever they stand: that is hard to tell from afar."""
        kept: list[_Fit] = []
        places: list[Tensor] = []
        for fit in found:
            joints = fit.pose.joints(self.body)[0]
            joints = joints - joints[:, :1]
            if all(float((joints - other).norm(dim=-1).mean()) > _SAME for other in places):
                kept.append(fit)
                places.append(joints)
        return kept

    def _start(self, seen: Marked, number: int, gender: str, betas: Tensor | None) -> "_Fit":
        shape = torch.zeros(1, 10) if betas is None else betas.detach().float().reshape(1, 10)
        angles = key_poses()["stand"].clone()
        angles[0, 1] = number * torch.pi / 2
        rot = angles_to_pose(angles)
        pose = Pose(rot[None], torch.zeros(1, 3), shape, torch.tensor([GENDERS.index(gender)]))
        points, _ = seen.predicted(self.body, pose)
        pelvis = seen.place(points[0])
        return _Fit(replace(pose, pelvis=pelvis[None]), float("inf"))

    def _improve(self, fit: "_Fit", seen: Marked, iterations: int, *, root_only: bool, shape: bool) -> "_Fit":
        """One round of L-BFGS about a pose."""
        start = fit.pose
        goal = start.rotations if root_only else self._solved(start, seen)
        turn = torch.zeros(1 if root_only else len(JOINTS), 3, requires_grad=True)
        shift = torch.zeros(3, requires_grad=True)
        grow = torch.zeros(10, requires_grad=shape)
        unit = seen.metres_per_pixel(start.pelvis[0])

        def posed() -> Pose:
            delta = axis_angle_to_matrix(turn)
            if root_only:
                delta = torch.cat([delta, torch.eye(3).expand(len(JOINTS) - 1, 3, 3)])
            betas = start.betas + grow
            return Pose(start.rotations @ delta, start.pelvis + shift, betas, start.gender)

        def energy(pose: Pose) -> Tensor:
            points, _ = seen.predicted(self.body, pose)
            total = seen.error(points[0], unit, self.blunt)
            if root_only:
                return total
            apart = (pose.rotations - goal)[0, 1:].square().sum((-1, -2))
            angles = pose_to_angles(pose.rotations[0])
            limits = LIMITS.to(angles)
            beyond = (angles - limits[..., 1]).clamp_min(0) + (limits[..., 0] - angles).clamp_min(0)
            return total + self.pull * apart.mean() + beyond.square().sum() + _SHAPE * pose.betas.square().sum()

        optimizer = torch.optim.LBFGS(
            [turn, shift, *([grow] if shape else [])],
            max_iter=iterations,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            value = energy(posed())
            value.backward()
            return value

        optimizer.step(closure)
        with torch.no_grad():
            pose = posed()
            value = float(energy(pose))
        if not torch.isfinite(pose.pelvis).all() or not value < float("inf"):
            return fit
        return _Fit(pose, value)

    @torch.no_grad()
    def _solved(self, pose: Pose, seen: Marked) -> Tensor:
        """The rotations of a plausible pose whose joints are where the marked ones are now."""
        if self.solver is None:
            return angles_to_pose(key_poses()["stand"])[None]
        positions, _ = pose.joints(self.body)
        joints = seen.joints
        data = torch.cat([positions[:, joints], torch.zeros(1, len(joints), 3)], -1)
        effectors = Effectors(
            torch.full((1, len(joints)), POSITION),
            joints[None],
            data,
            torch.full((1, len(joints)), 0.05),
            seen.joint_weight[None],
        )
        return self.solver.solve(effectors, pose.betas, pose.gender).rotations


@dataclass(frozen=True, eq=False)
class _Fit:
    pose: Pose
    energy: float
