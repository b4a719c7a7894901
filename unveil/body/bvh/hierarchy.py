"""The first half of a BVH file: joints, their offsets and the channels that move them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from unveil.body.bvh.errors import BvhError

CHANNELS = ("Xposition", "Yposition", "Zposition", "Xrotation", "Yrotation", "Zrotation")
_BY_LOWER = {name.lower(): name for name in CHANNELS}
_DEEPEST = 200
_MOST = 2000


@dataclass
class Joint:
    """A joint as the file tells it.

    Attributes:
        name: as it stands there.
        parent: its number; -1 for the root.
        offset: from the parent, in the file's units.
        channels: names of the numbers that a frame has for it, in their order.
        ends: offsets of end sites.
    """

    name: str
    parent: int
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: list[str] = field(default_factory=list)
    ends: list[tuple[float, float, float]] = field(default_factory=list)


def read_hierarchy(text: str) -> list[Joint]:
    """Read the part between HIERARCHY and MOTION.

    Raises:
        BvhError: with the line on which it stops being understood.
    """
    words = _words(text)
    joints: list[Joint] = []
    where, word = _next(words, "HIERARCHY")
    if word.upper() != "HIERARCHY":
        raise BvhError(f"line {where}: it begins with '{word[:30]}' and not with HIERARCHY")
    where, word = _next(words, "ROOT")
    if word.upper() != "ROOT":
        raise BvhError(f"line {where}: '{word[:30]}' stands where ROOT should")
    _read_joint(words, joints, -1)
    for where, word in words:
        raise BvhError(f"line {where}: '{word[:30]}' follows the first ROOT; files of several are not understood")
    return joints


def _words(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        # A joint's name may hold spaces, so the line after such a word is one name.
        kind, _, rest = line.strip().partition(" ") if " " in line.strip() else line.strip().partition("\t")
        if kind.upper() in ("ROOT", "JOINT", "END") and rest.strip():
            yield number, kind
            name = rest.strip()
            yield number, name.rstrip("{").strip()
            if name.endswith("{"):
                yield number, "{"
        else:
            yield from ((number, word) for word in line.split())


def _next(words: Iterator[tuple[int, str]], expected: str) -> tuple[int, str]:
    try:
        return next(words)
    except StopIteration:
        raise BvhError(f"it ends where {expected} should follow") from None


def _numbers(words: Iterator[tuple[int, str]]) -> tuple[float, float, float]:
    values = []
    for _ in range(3):
        where, word = _next(words, "a number")
        try:
            values.append(float(word))
        except ValueError:
            raise BvhError(f"line {where}: '{word[:30]}' stands where a number of an OFFSET should") from None
        if not abs(values[-1]) < 1e9:
            raise BvhError(f"line {where}: an OFFSET of {word[:30]}")
    return values[0], values[1], values[2]


def _read_joint(words: Iterator[tuple[int, str]], joints: list[Joint], parent: int, depth: int = 0) -> None:
    where, name = _next(words, "a joint's name")
    number = len(joints)
    if depth > _DEEPEST or number >= _MOST:
        raise BvhError(f"line {where}: more than {_MOST} joints, or {_DEEPEST} one below another")
    known = {joint.name for joint in joints}
    unique, copies = name, 1
    while unique in known:  # some programs give all fingers one name
        copies += 1
        unique = f"{name}.{copies}"
    joint = Joint(unique, parent)
    joints.append(joint)
    _open(words)
    while True:
        where, word = _next(words, "}")
        match word.upper():
            case "OFFSET":
                joint.offset = _numbers(words)
            case "CHANNELS":
                joint.channels = _read_channels(words)
            case "JOINT":
                _read_joint(words, joints, number, depth + 1)
            case "END":
                _next(words, "Site")
                _open(words)
                _, word = _next(words, "OFFSET")
                if word.upper() == "OFFSET":
                    joint.ends.append(_numbers(words))
                    where, word = _next(words, "}")
                if word != "}":
                    raise BvhError(f"line {where}: '{word[:30]}' stands where the end site's }} should")
            case "}":
                return
            case _:
                raise BvhError(f"line {where}: '{word[:30]}' is none of OFFSET, CHANNELS, JOINT, End Site and }}")


def _open(words: Iterator[tuple[int, str]]) -> None:
    where, word = _next(words, "{")
    if word != "{":
        raise BvhError(f"line {where}: '{word[:30]}' stands where {{ should")


def _read_channels(words: Iterator[tuple[int, str]]) -> list[str]:
    where, count = _next(words, "the number of channels")
    if not count.isdigit() or int(count) > len(CHANNELS):
        raise BvhError(f"line {where}: '{count[:30]}' channels; a joint has 0 to {len(CHANNELS)}")
    channels = []
    for _ in range(int(count)):
        where, word = _next(words, "a channel")
        if word.lower() not in _BY_LOWER:
            raise BvhError(f"line {where}: the channel '{word[:30]}' is not known; there are {', '.join(CHANNELS)}")
        if _BY_LOWER[word.lower()] in channels:
            raise BvhError(f"line {where}: the channel {word} comes twice")
        channels.append(_BY_LOWER[word.lower()])
    return channels
