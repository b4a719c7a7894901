"""Which joint of a skeleton is which joint of a body, by the names that skeletons are known to use."""

import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unveil.body.guess import guess_joints
from unveil.body.joints import JOINTS
from unveil.body.skeleton import Skeleton
from unveil.core.errors import ConfigError, DataError
from unveil.core.json_file import write_json

REQUIRED = tuple(
    name
    for name in JOINTS
    if name in ("pelvis", "head") or name.endswith(("hip", "knee", "ankle", "shoulder", "elbow", "wrist"))
)
"""The joints without which a skeleton is no human one."""

# Without side, case, separators and prefix. Of several names the first that is there is taken.
_CONVENTIONS: dict[str, dict[str, str]] = {
    "smpl": {
        name: name for name in dict.fromkeys(joint.removeprefix("left_").removeprefix("right_") for joint in JOINTS)
    },
    "cmu": {
        **{
            "pelvis": "hips",
            "spine1": "lowerback",
            "spine2": "spine",
            "spine3": "spine1",
            "neck": "neck1",
            "head": "head",
        },
        **{"hip": "upleg", "knee": "leg", "ankle": "foot", "foot": "toebase"},
        **{
            "collar": "shoulder",
            "shoulder": "arm",
            "elbow": "forearm",
            "wrist": "hand",
            "hand": "handindex1 fingerbase",
        },
    },
    "mixamo": {
        **{"pelvis": "hips", "spine1": "spine", "spine2": "spine1", "spine3": "spine2", "neck": "neck", "head": "head"},
        **{"hip": "upleg", "knee": "leg", "ankle": "foot", "foot": "toebase toe"},
        **{
            "collar": "shoulder",
            "shoulder": "arm",
            "elbow": "forearm",
            "wrist": "hand",
            "hand": "handmiddle1 handindex1",
        },
    },
    "humanoid": {  # glTF humanoids of VRM and Unity
        **{
            "pelvis": "hips",
            "spine1": "spine",
            "spine2": "chest",
            "spine3": "upperchest",
            "neck": "neck",
            "head": "head",
        },
        **{"hip": "upperleg", "knee": "lowerleg", "ankle": "foot", "foot": "toes toe toebase"},
        **{"collar": "shoulder", "shoulder": "upperarm", "elbow": "lowerarm", "wrist": "hand"},
        **{"hand": "middleproximal middle1 handmiddle1"},
    },
    "unreal": {
        **{
            "pelvis": "pelvis",
            "spine1": "spine01",
            "spine2": "spine02",
            "spine3": "spine03",
            "neck": "neck01",
            "head": "head",
        },
        **{"hip": "thigh", "knee": "calf", "ankle": "foot", "foot": "ball"},
        **{"collar": "clavicle", "shoulder": "upperarm", "elbow": "lowerarm", "wrist": "hand", "hand": "middle01"},
    },
    "rigify": {
        **{
            "pelvis": "spine",
            "spine1": "spine001",
            "spine2": "spine002",
            "spine3": "spine003",
            "neck": "spine004 neck",
        },
        **{"head": "spine006 head", "hip": "thigh", "knee": "shin", "ankle": "foot", "foot": "toe"},
        **{"collar": "shoulder", "shoulder": "upperarm", "elbow": "forearm", "wrist": "hand", "hand": "fmiddle01"},
    },
}
_PREFIX = re.compile(r"^(mixamorig\d*|character\d+|def|org|bip\d+|j bip(?: c)?|[mf] avg)(?![a-z0-9])\s*")
_SIDES = {"left": "left_", "l": "left_", "right": "right_", "r": "right_"}


@dataclass(frozen=True)
class JointMap:
    """A skeleton's name for each joint of a body that it has.

    Args:
        names: the skeleton's names by the body's.
        convention: whose names they are: smpl, cmu, mixamo, humanoid, unreal, rigify; "guessed" if the tree told.

    Raises:
        ConfigError: a joint is no joint of a body, or two are given the same one of the skeleton.
    """

    names: Mapping[str, str]
    convention: str = "given"

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in JOINTS]
        if unknown:
            raise ConfigError(f"{', '.join(unknown)} are no joints of a body; those are {', '.join(JOINTS)}.")
        values = list(self.names.values())
        twice = sorted({name for name in values if values.count(name) > 1})
        if twice:
            raise ConfigError(
                f"The skeleton's {', '.join(twice)} stands for two joints of the body; give each its own."
            )

    @property
    def missing(self) -> tuple[str, ...]:
        """The joints of a human skeleton that are not there."""
        return tuple(name for name in REQUIRED if name not in self.names)

    def check(self, what: str = "The skeleton") -> "JointMap":
        """Give back the map if it is a human's.

        Raises:
            DataError: with the joints that are missing.
        """
        if self.missing:
            raise DataError(
                f"{what} has no joint for {', '.join(self.missing)}. Name them in a JSON file, "
                '{"left_knee": "its name there", ...}, and give it as the joint map.'
            )
        return self

    def indices(self, skeleton: Skeleton) -> dict[str, int]:
        """The skeleton's number of each joint."""
        return {name: skeleton.index(own) for name, own in self.names.items()}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as JSON, to be corrected by hand where it is wrong."""
        return write_json(path, dict(self.names), force=True, indent=2)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "JointMap":
        """Read what `save` wrote.

        Raises:
            DataError: it is no such file.
        """
        try:
            names = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"The joint map '{path}' cannot be read: {error}.") from None
        if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
            raise DataError(f'The joint map \'{path}\' must be a JSON object such as {{"left_knee": "LeftLeg"}}.')
        return cls(names)


def find_joints(skeleton: Skeleton) -> JointMap:
    """Tell which joints of a skeleton are which of a body's.

    The names are compared with those of known conventions, whatever their case, separators and prefixes. If no convention
    has all that a human skeleton must have, the tree and the bind pose are asked, and the better answer is taken.
    """
    best = max((_by_names(skeleton.names, name) for name in _CONVENTIONS), key=lambda found: len(found.names))
    if not best.missing:
        _check_upright(skeleton, best)
        return best
    guessed = guess_joints(skeleton)
    found = JointMap({joint: skeleton.names[place] for joint, place in guessed.items()}, "guessed")
    return found if len(found.missing) < len(best.missing) else best


def _check_upright(skeleton: Skeleton, found: JointMap) -> None:
    heights = {name: float(skeleton.positions[j, 1]) for name, j in found.indices(skeleton).items()}
    if heights["head"] <= max(height for name, height in heights.items() if name.endswith(("hip", "knee", "ankle"))):
        warnings.warn(
            "The skeleton's head is not above its legs in bind pose; files here stand along Y. Turn it when exporting.",
            stacklevel=3,
        )


def _by_names(names: Sequence[str], convention: str) -> JointMap:
    known: dict[tuple[str, str], str] = {}
    for name in names:
        known.setdefault(_plain(name), name)
    found: dict[str, str] = {}
    for joint in JOINTS:
        side = next((side for side in ("left_", "right_") if joint.startswith(side)), "")
        candidates = _CONVENTIONS[convention][joint.removeprefix(side)].split()
        match = next((known[side, one] for one in candidates if (side, one) in known), None)
        if match is not None:
            found[joint] = match
    return JointMap(found, convention)


def _plain(name: str) -> tuple[str, str]:
    """The side a name tells, "left_", "right_" or "", and the rest of it without prefix, case and separators."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", re.split(r"[:|]", name)[-1])
    words = _PREFIX.sub("", re.sub(r"[^a-z0-9]+", " ", spaced.lower()).strip()).split()
    side = next((_SIDES[word] for word in words if word in _SIDES), "")
    rest = "".join(word for word in words if word not in _SIDES)
    for word in ("left", "right"):
        if not side and rest.startswith(word) and len(rest) > len(word):
            return f"{word}_", rest.removeprefix(word)
    return side, rest
