"""Which joint is which, told from the tree and the bind pose alone, for skeletons of unknown names."""

import torch

from unveil.body.skeleton import Skeleton

_HELPER = 0.01  # bones shorter than this share of the stature only divide a joint in two


def guess_joints(skeleton: Skeleton) -> dict[str, int]:
    """Find the joints of a human who stands upright along Y, faces +Z and holds the arms away from the body.

    The lowest ends of the tree on either side are feet, the outermost are hands, and the highest is the head. Where the paths
    to the feet part is the pelvis, and where those to hands and head part the top of the spine. What no limb ends in is not
    guessed.

    Returns:
        The number of each joint that was found, by its name; nothing for a tree that is not so.
    """
    places, parents = skeleton.positions, skeleton.parents
    leaves = [joint for joint, below in enumerate(skeleton.children) if not below]
    height = float(places[:, 1].max() - places[:, 1].min())
    if height <= 0 or len(leaves) < 5:
        return {}
    paths = {leaf: _path(parents, leaf) for leaf in leaves}
    middle = float(places[0, 0])

    def outward(side: float, joint: int) -> float:
        return side * (float(places[joint, 0]) - middle)

    found: dict[str, int] = {}
    head = max(leaves, key=lambda leaf: float(places[leaf, 1]))
    ends = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        own = [leaf for leaf in leaves if leaf != head and outward(sign, leaf) > 0.02 * height]
        if len(own) < 2:
            return {}
        foot = min(own, key=lambda leaf: float(places[leaf, 1]))
        hand = max((leaf for leaf in own if leaf != foot), key=lambda leaf: outward(sign, leaf))
        ends[side] = foot, hand
    hips = _shared(paths[ends["left"][0]], paths[ends["right"][0]])
    chest = _shared(paths[ends["left"][1]], paths[ends["right"][1]])
    if not hips or not chest or hips[-1] not in chest:
        return {}
    found["pelvis"] = hips[-1]
    for side, (foot, hand) in ends.items():
        leg = _bones(skeleton, paths[foot][len(hips) :], height)
        arm = _bones(skeleton, paths[hand][len(chest) :], height)
        if len(leg) < 3 or len(arm) < 3:
            return {}
        found |= dict(zip((f"{side}_hip", f"{side}_knee", f"{side}_ankle", f"{side}_foot"), leg, strict=False))
        names = (
            ["shoulder", "elbow", "wrist", "hand"]
            if len(arm) == 3
            else ["collar", "shoulder", "elbow", "wrist", "hand"]
        )
        found |= {f"{side}_{name}": joint for name, joint in zip(names, arm, strict=False)}
    spine = _bones(skeleton, chest[len(hips) :], height)
    found |= dict(
        zip(
            ("spine1", "spine2", "spine3"), spine if len(spine) <= 3 else [spine[0], spine[-2], spine[-1]], strict=False
        )
    )
    top = _bones(skeleton, [joint for joint in paths[head] if joint not in chest], height)
    if top:
        found["head"] = top[1] if len(top) > 1 else top[0]
        if len(top) > 1:
            found["neck"] = top[0]
    return found


def _path(parents: tuple[int, ...], joint: int) -> list[int]:
    path = [joint]
    while parents[path[0]] >= 0:
        path.insert(0, parents[path[0]])
    return path


def _shared(a: list[int], b: list[int]) -> list[int]:
    return [one for one, other in zip(a, b, strict=False) if one == other]


def _bones(skeleton: Skeleton, path: list[int], height: float) -> list[int]:
    """The joints of a path without those that lie where the next one is."""
    kept = []
    for joint, following in zip(path, [*path[1:], None], strict=True):
        if following is None or torch.dist(skeleton.positions[joint], skeleton.positions[following]) > _HELPER * height:
            kept.append(joint)
    return kept
