"""From a pose to the few effectors that make it again."""

from dataclasses import replace

from unveil.body.recovery import recover_effectors
from unveil.studio.grip import Grip, grip_at
from unveil.studio.state import PoseEditorState


def recover(editor: PoseEditorState, most: int = 8, tolerance: float = 0.010) -> str:
    """Find the effectors of the chosen body's pose; they take the place of what holds it, and the pose stays as it is.

    Args:
        editor: whose chosen body is asked.
        most: effectors at most.
        tolerance: mean error of the joints that is near enough, metres.

    Returns:
        A sentence on how many there are and how near they come.
    """
    job = editor.desk.job()
    actor = job.actor
    costume = actor.costume
    metre = actor.scale if costume is None else 1.0  # a character is compared in the scene's own metres
    found = recover_effectors(
        editor.solver,
        editor.body,
        actor.pose,
        most=most,
        tolerance=tolerance / metre,
        character=None if costume is None else costume.skeleton,
        character_map=None if costume is None else costume.joints,
    )
    positions, rotations = actor.joints(editor.body)
    kinds, joints = (values[0].tolist() for values in (found.effectors.kind, found.effectors.joint))
    grips: tuple[Grip, ...] = tuple(
        grip_at(kind, joint, positions, rotations) for kind, joint in zip(kinds, joints, strict=True)
    )

    with editor.lock:
        if editor.actor.pose is not actor.pose or editor.actor.number != actor.number:
            return "The pose was changed meanwhile; ask again."
        editor.desk.repose(lambda now: replace(now, grips=grips, residuals=()))
        editor.selected = grips[0].key if grips else None
    error = 1000 * metre * found.errors[-1]
    return f"{len(grips)} effectors give the pose again to {error:.0f} mm."
