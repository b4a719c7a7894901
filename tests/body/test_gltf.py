"""glTF in and out: what is written skins as it did, by an evaluation that knows nothing of ours."""

import base64
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp

from unveil.body import Character, GltfError, Motion, Skeleton, random_motion, read_glb, vertex_normals, write_glb
from unveil.core.errors import DataError, ShapeError
from unveil.geometry import matrix_from_6d

KINDS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def close(a, b, atol):
    torch.testing.assert_close(a, b, rtol=0, atol=atol)


def parts(path):
    """The description and the numbers of a .glb file."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    assert size % 4 == 0
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def numbers(tree, binary, accessor):
    a = tree["accessors"][accessor]
    view = tree["bufferViews"][a["bufferView"]]
    width = WIDTHS[a["type"]]
    start = view.get("byteOffset", 0) + a.get("byteOffset", 0)
    assert "byteStride" not in view
    return np.frombuffer(binary, KINDS[a["componentType"]], a["count"] * width, start).reshape(-1, width).astype(float)


def skinned(path, time):
    """The vertices of a file's only skin at a time of its only animation, straight from the specification."""
    tree, binary = parts(path)
    local = []
    for node in tree["nodes"]:
        t, r, s = node.get("translation", [0, 0, 0]), node.get("rotation", [0, 0, 0, 1]), node.get("scale", [1, 1, 1])
        local.append({"translation": np.array(t, float), "rotation": np.array(r, float), "scale": np.array(s, float)})
    for animation in tree.get("animations", [])[:1]:
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            times = numbers(tree, binary, sampler["input"])[:, 0]
            values = numbers(tree, binary, sampler["output"])
            path = channel["target"]["path"]
            if path == "rotation":
                values = Slerp(times, Rotation.from_quat(values))(np.clip(time, times[0], times[-1])).as_quat()
            else:
                values = np.array([np.interp(time, times, column) for column in values.T])
            local[channel["target"]["node"]][path] = values
    matrices = [
        np.block(
            [[Rotation.from_quat(x["rotation"]).as_matrix() * x["scale"], x["translation"][:, None]], [0, 0, 0, 1]]
        )
        for x in local
    ]
    parent = {child: n for n, node in enumerate(tree["nodes"]) for child in node.get("children", [])}

    def world(node):
        return world(parent[node]) @ matrices[node] if node in parent else matrices[node]

    (skin,) = tree["skins"]
    inverse = numbers(tree, binary, skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
    moves = np.stack([world(joint) for joint in skin["joints"]]) @ inverse
    (node,) = [node for node in tree["nodes"] if "skin" in node]
    attributes = tree["meshes"][node["mesh"]]["primitives"][0]["attributes"]
    places = numbers(tree, binary, attributes["POSITION"])
    joints, weights = (numbers(tree, binary, attributes[name]) for name in ("JOINTS_0", "WEIGHTS_0"))
    blended = np.einsum("vk,vkij->vij", weights, moves[joints.astype(int)])
    return torch.from_numpy(np.einsum("vij,vj->vi", blended[:, :3, :3], places) + blended[:, :3, 3]).float()


def test_a_body_in_motion_skins_in_a_file_as_here(body, tmp_path):
    shape = torch.randn(10, generator=torch.Generator().manual_seed(0))
    character = body.character(shape, "female")
    drawn = random_motion(
        body, 20, kind="poses", shape=shape, gender="female", generator=torch.Generator().manual_seed(1)
    )
    path = write_glb(character, tmp_path / "body.glb", drawn.motion(body))
    expected = drawn.posed(body).vertices
    for frame in (0, 7, 19):
        close(skinned(path, frame / drawn.fps), expected[frame], 1e-5)


def test_a_file_has_what_the_format_asks_for(body, tmp_path):
    character = body.character()
    motion = random_motion(body, 5, shape=torch.zeros(10), gender="neutral").motion(body)
    tree, binary = parts(write_glb(character, tmp_path / "body.glb", {"dance": motion}))
    primitive = tree["meshes"][0]["primitives"][0]
    for needed in (primitive["attributes"]["POSITION"], tree["animations"][0]["samplers"][0]["input"]):
        array = numbers(tree, binary, needed)
        assert tree["accessors"][needed]["min"] == array.min(0).tolist()
        assert tree["accessors"][needed]["max"] == array.max(0).tolist()
    assert all(view.get("byteOffset", 0) % 4 == 0 for view in tree["bufferViews"])
    assert tree["accessors"][primitive["attributes"]["JOINTS_0"]]["componentType"] == 5121
    assert tree["accessors"][primitive["indices"]]["componentType"] == 5125
    weights = numbers(tree, binary, primitive["attributes"]["WEIGHTS_0"])
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert tree["animations"][0]["name"] == "dance"
    for channel, sampler in zip(tree["animations"][0]["channels"], tree["animations"][0]["samplers"], strict=True):
        if channel["target"]["path"] == "rotation":
            turns = numbers(tree, binary, sampler["output"])
            np.testing.assert_allclose(np.linalg.norm(turns, axis=1), 1, atol=1e-6)
            assert ((turns[1:] * turns[:-1]).sum(1) > 0).all()  # no jumps
    (node,) = [node for node in tree["nodes"] if "skin" in node]
    assert not {"translation", "rotation", "scale", "matrix"} & node.keys()


def test_a_body_comes_back_from_its_file(body, tmp_path):
    character = body.character(gender="male")
    motion = random_motion(body, 12, kind="walk", shape=torch.zeros(10), gender="male").motion(body)
    read = read_glb(write_glb(character, tmp_path / "body.glb", {"walk": motion}))
    assert read.skeleton.names == character.skeleton.names
    assert read.skeleton.parents == character.skeleton.parents
    close(read.skeleton.positions, character.skeleton.positions, 1e-6)
    close(read.vertices, character.vertices, 1e-6)
    close(read.weights, character.weights, 1e-6)
    assert (read.faces == character.faces).all()
    again = read.motions["walk"]
    assert again.fps == motion.fps
    assert again.offsets is None
    close(again.rot, motion.rot, 2e-6)
    close(again.root, motion.root, 1e-6)


def small(names=("root", "arm", "hand"), seed=0, turned=True):
    """A character of few triangles whose frames lie anyhow."""
    generator = torch.Generator().manual_seed(seed)
    rotations = matrix_from_6d(torch.randn(3, 6, generator=generator)) if turned else torch.eye(3).expand(3, 3, 3)
    positions = torch.tensor([[0.0, 1, 0], [0.5, 1, 0], [1, 1.1, 0]])
    weights = torch.rand(9, 3, generator=generator)
    return Character(
        Skeleton(names, (-1, 0, 1), rotations, positions),
        torch.randn(9, 3, generator=generator),
        torch.arange(9).reshape(3, 3),
        weights / weights.sum(1, keepdim=True),
        torch.rand(9, 3, generator=generator),
    )


def test_frames_that_lie_anyhow_and_bones_that_stretch(tmp_path):
    character = small()
    rot = matrix_from_6d(torch.randn(6, 3, 6, generator=torch.Generator().manual_seed(3)))
    offsets = character.skeleton.offsets * torch.linspace(1, 1.5, 6)[:, None, None]
    motion = Motion(character.skeleton, rot, torch.randn(6, 3), 10, offsets)
    path = write_glb(character, tmp_path / "c.glb", motion)
    read = read_glb(path)
    close(read.move(read.motions["motion"]), character.move(motion), 1e-5)
    close(read.colours, character.colours * 1.0, 1e-6)
    for frame in (0, 3):
        close(skinned(path, frame / 10), character.move(motion)[frame], 1e-5)


def scaled_file(tmp_path, scale=0.01):
    """A character in hundredths under a node that turns and shrinks it, as programs with Z up write it."""
    tree, binary = parts(write_glb(small(), tmp_path / "plain.glb"))
    turn = Rotation.from_euler("x", -90, degrees=True)
    root = next(n for n, node in enumerate(tree["nodes"]) if node["name"] == "root")
    tree["nodes"].append(
        {"name": "armature", "children": [root], "rotation": turn.as_quat().tolist(), "scale": [scale] * 3}
    )
    tree["scenes"][0]["nodes"] = [len(tree["nodes"]) - 1, 3]
    back = np.eye(4)
    back[:3, :3] = turn.inv().as_matrix() / scale
    node = tree["nodes"][root]
    old = np.eye(4)
    old[:3, :3], old[:3, 3] = Rotation.from_quat(node["rotation"]).as_matrix(), node["translation"]
    new = back @ old
    node["translation"] = new[:3, 3].tolist()
    node["rotation"] = Rotation.from_matrix(new[:3, :3] * scale).as_quat().tolist()
    node["scale"] = [1 / scale] * 3
    path = tmp_path / "scaled.glb"
    save(path, tree, binary)
    return path


def save(path, tree, binary):
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def test_nodes_above_the_skeleton_may_turn_and_scale_it(tmp_path):
    plain = small()
    read = read_glb(scaled_file(tmp_path))
    close(read.vertices, plain.vertices, 1e-5)
    close(read.skeleton.positions, plain.skeleton.positions, 1e-5)
    rot = matrix_from_6d(torch.randn(4, 3, 6, generator=torch.Generator().manual_seed(3)))
    motion = Motion(read.skeleton, rot, torch.randn(4, 3), 10)
    path = write_glb(read, tmp_path / "moved.glb", motion)
    for frame in (0, 2):
        close(skinned(path, frame / 10), read.move(motion)[frame], 2e-5)
    again = read_glb(path)
    close(again.move(again.motions["motion"]), read.move(motion), 2e-5)


def test_other_units(tmp_path):
    plain = small(turned=False)
    large = replace(
        plain, vertices=100 * plain.vertices, skeleton=replace(plain.skeleton, positions=100 * plain.skeleton.positions)
    )
    path = write_glb(large, tmp_path / "cm.glb")
    with pytest.raises(DataError, match="units='cm'"):
        read_glb(path)
    read = read_glb(path, units="cm")
    close(read.vertices, plain.vertices, 1e-5)
    rot = matrix_from_6d(torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(3)))
    motion = Motion(read.skeleton, rot, torch.randn(2, 3), 10)
    again = read_glb(write_glb(read, tmp_path / "moved.glb", motion), units="cm")  # the file keeps its own units
    close(again.move(again.motions["motion"]), read.move(motion), 1e-5)


def test_buffers_may_be_written_within_or_lie_beside(tmp_path):
    tree, binary = parts(write_glb(small(), tmp_path / "c.glb"))
    tree["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    (tmp_path / "within.gltf").write_text(json.dumps(tree))
    (tmp_path / "my numbers.bin").write_bytes(binary)
    tree["buffers"][0]["uri"] = "my%20numbers.bin"
    (tmp_path / "beside.gltf").write_text(json.dumps(tree))
    for name in ("within", "beside"):
        close(read_glb(tmp_path / f"{name}.gltf").vertices, small().vertices, 1e-6)
    for uri in ("../secret.bin", "/etc/passwd", "http://example.com/a.bin", "absent.bin"):
        tree["buffers"][0]["uri"] = uri
        (tmp_path / "bad.gltf").write_text(json.dumps(tree))
        with pytest.raises(GltfError, match=r"outside its own folder|should lie beside"):
            read_glb(tmp_path / "bad.gltf")


def changed(tmp_path, change):
    tree, binary = parts(write_glb(small(), tmp_path / "c.glb"))
    change(tree)
    save(tmp_path / "bad.glb", tree, binary)
    return tmp_path / "bad.glb"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree.pop("skins"), "no mesh that is bound to a skeleton"),
        (lambda tree: tree["nodes"][3].pop("skin"), "no mesh that is bound"),
        (lambda tree: tree["skins"][0].update(joints=[0, 1, 99]), "it names 99 of its"),
        (lambda tree: tree["skins"][0].update(joints=[0, 1, 1]), "or one twice"),
        (lambda tree: tree["nodes"][2].update(children=[0]), "go round in a circle"),
        (lambda tree: tree["nodes"][0].update(children=[1, 2]), "are no tree"),
        (lambda tree: tree.update(extensionsRequired=["KHR_draco_mesh_compression"]), "export it without compression"),
        (lambda tree: tree["accessors"][0].update(count=10**6), "reaches beyond its part"),
        (lambda tree: tree["bufferViews"][0].update(byteLength=10**9), "reaches beyond the end"),
        (lambda tree: tree["accessors"][0].update(componentType=1), "an accessor holds"),
        (lambda tree: tree["asset"].update(version="1.0"), "no glTF of version 2"),
        (lambda tree: tree["meshes"][0]["primitives"][0].update(mode=1), "its skin moves no triangles"),
        (lambda tree: tree["meshes"].clear(), "it names 0 of its 0 meshes"),
        (lambda tree: tree.update(nodes=3), "no list of objects"),
    ],
)
def test_damage_is_told(change, message, tmp_path):
    with pytest.raises(GltfError, match=rf"bad.glb.*{message}"):
        read_glb(changed(tmp_path, change))


@pytest.mark.parametrize(
    "values", [["x", 0, 0], [0, 0], [], [10**400, 0, 0], [float("nan"), 0, 0], [1e300, 0, 0], None]
)
def test_nodes_at_no_place_are_refused(values, tmp_path):
    file = changed(tmp_path, lambda tree: tree["nodes"][0].update(translation=values))
    with pytest.raises(GltfError, match=r"bad\.glb.*translation of a node is not 3 finite numbers"):
        read_glb(file)


def test_binds_that_are_no_numbers_are_refused(tmp_path):
    tree, binary = parts(write_glb(small(), tmp_path / "c.glb"))
    view = tree["bufferViews"][tree["accessors"][tree["skins"][0]["inverseBindMatrices"]]["bufferView"]]
    start = view.get("byteOffset", 0)
    save(tmp_path / "bad.glb", tree, binary[:start] + struct.pack("<3f", *[float("nan")] * 3) + binary[start + 12 :])
    with pytest.raises(GltfError, match=r"bad\.glb"):
        read_glb(tmp_path / "bad.glb")


def test_files_that_are_cut_off_are_refused_wherever_they_end(tmp_path):
    data = write_glb(small(), tmp_path / "c.glb").read_bytes()
    for end in (0, 3, 11, 19, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.glb").write_bytes(data[:end])
        with pytest.raises(GltfError):
            read_glb(tmp_path / "cut.glb")
    with pytest.raises(GltfError, match="cannot be read"):
        read_glb(tmp_path / "absent.glb")


def test_of_several_skins_one_must_be_named(tmp_path):
    def double(tree):
        tree["skins"].append(dict(tree["skins"][0], name="other"))
        tree["nodes"].append({"mesh": 0, "skin": 1})
        tree["scenes"][0]["nodes"].append(4)

    path = changed(tmp_path, double)
    with pytest.raises(GltfError, match=r"say which by skin=: 0 .*3 joints.*, 1 \(other, 3 joints\)"):
        read_glb(path)
    close(read_glb(path, skin=1).vertices, small().vertices, 1e-6)
    with pytest.raises(GltfError, match="no skin 5"):
        read_glb(path, skin=5)


def test_motions_of_another_skeleton_are_refused(tmp_path, body):
    motion = random_motion(body, 3).motion(body)
    with pytest.raises(DataError, match="not of the character's skeleton"):
        write_glb(small(), tmp_path / "c.glb", motion)


def test_characters_are_checked():
    good = small()
    with pytest.raises(ShapeError, match=r"it needs \(V, 3\) and \(V, 3\)"):
        replace(good, weights=good.weights[:, :2])
    with pytest.raises(ShapeError, match="below 9"):
        replace(good, faces=good.faces + 1)


def test_normals_point_outwards(body):
    vertices = body.rest_vertices()
    normals = vertex_normals(vertices, body.faces)
    moved = (vertices + 1e-3 * normals).double()
    a, b, c = (moved[body.faces[:, i]] for i in range(3))
    first, second, third = (vertices.double()[body.faces[:, i]] for i in range(3))
    assert (a * torch.linalg.cross(b, c)).sum() > (first * torch.linalg.cross(second, third)).sum()
    close(normals.norm(dim=1), torch.ones(len(normals)), 1e-5)


def test_a_character_of_a_program_keeps_its_looks(real_data, tmp_path):
    source = real_data("characters") / "CesiumMan.glb"
    character = read_glb(source)
    assert len(character.skeleton) == 19
    assert 1.4 < float(character.vertices[:, 1].max() - character.vertices[:, 1].min()) < 1.6
    (name, motion), *_ = character.motions.items()
    assert len(motion) == 49
    path = write_glb(character, tmp_path / "c.glb", {"again": motion})
    tree, _ = parts(path)
    before, _ = parts(source)
    assert tree["materials"] == before["materials"]
    assert tree["images"] == before["images"]
    assert [animation["name"] for animation in tree["animations"]] == ["again"]
    for frame in (0, 11, 30):
        expected = skinned(source, frame / motion.fps)
        close(character.move(motion)[frame], expected, 1e-5)
        close(skinned(path, frame / motion.fps), expected, 1e-5)
    fresh = write_glb(replace(character, document=None), tmp_path / "fresh.glb", {name: motion})
    close(skinned(fresh, 11 / motion.fps), character.move(motion)[11], 1e-5)
