"""The 24 joints of a human body, their tree, their mirror images and the genders. Imports no torch.

Metres; Y is up, the body faces +Z and its left is +X. At rest it stands with its arms along X, and every local rotation is
the identity.

Source: Loper et al. (2015), SMPL: a skinned multi-person linear model, whose order of joints this is.
"""

from collections.abc import Sequence
from difflib import get_close_matches

from unveil.core.errors import ConfigError

JOINTS = (
    *("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle"),
    *("right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hand", "right_hand"),
)
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
GENDERS = ("male", "female", "neutral")


def mirror_name(name: str) -> str:
    """The joint on the other side; one of the middle is its own mirror image."""
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    return "left_" + name.removeprefix("right_") if name.startswith("right_") else name


MIRROR = tuple(JOINTS.index(mirror_name(name)) for name in JOINTS)


def find_joint(name: str, names: Sequence[str] = JOINTS) -> int:
    """The number of a joint.

    Raises:
        ConfigError: there is none of this name; those most like it are listed.
    """
    if name in names:
        return names.index(name)
    near = get_close_matches(name, names, n=3, cutoff=0.4)
    meant = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}."
    raise ConfigError(f"There is no joint '{name}'; {meant}")


def find_gender(gender: str | int) -> int:
    """The number of a gender: male 0, female 1, neutral 2; initials and numbers will do.

    Raises:
        ConfigError: it is none of them.
    """
    if isinstance(gender, int) and not isinstance(gender, bool) and 0 <= gender < len(GENDERS):
        return gender
    if isinstance(gender, str):
        for number, name in enumerate(GENDERS):
            if gender.strip().lower() in (name, name[0]):
                return number
    raise ConfigError(f"gender is {gender!r}; it must be {', '.join(GENDERS[:-1])} or {GENDERS[-1]}.")
