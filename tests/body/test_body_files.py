"""Official body files are read without running anything of them, and what is no body is refused."""

import io
import os
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest
import scipy.sparse
import torch

from unveil.body import JOINTS, PARENTS, load_body, random_poses, save_body
from unveil.body.restricted_pickle import read_arrays
from unveil.core.errors import DataError

VERTICES = 60
FINGERS = {52: 15, 55: 15}


def fields(joints=24, shapes=10, seed=0):
    """Random numbers with the names and shapes of an official file."""
    random = np.random.default_rng(seed)
    weights, regressor = random.random((VERTICES, joints)), random.random((joints, VERTICES))
    parents = list(PARENTS[:22])
    if joints == 24:
        parents = list(PARENTS)
    elif joints == 52:
        for wrist, first in ((20, 22), (21, 37)):
            parents += [wrist if i % 3 == 0 else first + i - 1 for i in range(15)]
    else:
        parents += [15, 15, 15]
        for wrist, first in ((20, 25), (21, 40)):
            parents += [wrist if i % 3 == 0 else first + i - 1 for i in range(15)]
    table = np.array([parents, range(joints)]).astype(np.uint32)  # the root becomes 4294967295
    return {
        "v_template": random.normal(size=(VERTICES, 3)),
        "shapedirs": random.normal(size=(VERTICES, 3, shapes)),
        "posedirs": random.normal(size=(VERTICES, 3, 9 * (joints - 1))),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": table,
        "f": random.integers(0, VERTICES, (80, 3)).astype(np.uint32),
    }


@pytest.fixture
def chumpy(monkeypatch):
    """A stand-in for the old library, to write pickles with; gone before they are read."""
    leaf, chosen = types.ModuleType("chumpy.ch"), types.ModuleType("chumpy.reordering")
    for module, name in ((leaf, "Ch"), (chosen, "Select")):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    found = {"chumpy": types.ModuleType("chumpy"), "chumpy.ch": leaf, "chumpy.reordering": chosen}
    for name, module in found.items():
        monkeypatch.setitem(sys.modules, name, module)

    def make(kind, **state):
        made = (leaf.Ch if kind == "Ch" else chosen.Select)()
        made.__dict__.update(state)
        return made

    return make


def official(chumpy, protocol):
    """A pickle as the official files are: old expressions, a sparse matrix, and names of an old numpy."""
    numbers = fields()
    written = dict(numbers)
    written["J_regressor"] = scipy.sparse.csc_matrix(numbers["J_regressor"])
    written["posedirs"] = chumpy("Ch", x=numbers["posedirs"])
    wide = numbers["shapedirs"].ravel()
    order = np.random.default_rng(1).permutation(len(wide))
    scattered = np.empty_like(wide)
    scattered[order] = wide
    written["shapedirs"] = chumpy(
        "Select", a=chumpy("Ch", x=scattered), idxs=order, preferred_shape=numbers["shapedirs"].shape
    )
    written["bs_style"] = "lbs"
    data = pickle.dumps(written, protocol=protocol)
    for new, old in ((b"numpy._core.", b"numpy.core."), (b"scipy.sparse._csc", b"scipy.sparse.csc")):
        data = data.replace(new, old) if protocol < 3 else data
    return numbers, data


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_official_pickles_are_read_exactly(protocol, chumpy, tmp_path, monkeypatch):
    numbers, data = official(chumpy, protocol)
    for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "basicModel_f_lbs_10_207_0_v1.0.0.pkl").write_bytes(data)
    body = load_body(tmp_path)
    assert body.genders == ("female",)
    for ours, theirs in (("template", "v_template"), ("directions", "shapedirs"), ("regressor", "J_regressor")):
        np.testing.assert_array_equal(getattr(body, ours)[0].numpy(), numbers[theirs].astype(np.float32))
    np.testing.assert_array_equal(
        body.pose_directions[0].numpy().T.reshape(VERTICES, 3, 207), numbers["posedirs"].astype(np.float32)
    )
    assert "chumpy" not in sys.modules


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "payload",
    [
        lambda place: Evil(os.system, f"touch {place}"),
        lambda place: Evil(eval, f"open({str(place)!r}, 'w')"),
        lambda place: Evil(np.save, str(place), 1),
        lambda place: Evil(getattr, np.ndarray, "tofile"),
        lambda place: {"v_template": [np.zeros(3), Evil(os.mkdir, str(place))]},
    ],
)
def test_pickles_that_ask_for_more_are_refused_and_nothing_runs(payload, tmp_path):
    file, mark = tmp_path / "SMPL_MALE.pkl", tmp_path / "ran"
    file.write_bytes(pickle.dumps(payload(mark)))
    with pytest.raises(DataError, match="which no array needs"):
        load_body(file)
    archive = tmp_path / "SMPLX_MALE.npz"
    holder = np.empty(1, object)
    holder[0] = payload(mark)
    np.savez(archive, **(fields() | {"v_template": holder}))
    with pytest.raises(DataError, match="which no array needs"):
        load_body(archive)
    assert not mark.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cnumpy\nndarray.tofile\n.",  # an attribute of what is allowed
        b"cbuiltins\nobject\n(tRcposix\nsystem\n.",
        b"ccopyreg\n_reconstructor\n(cnumpy\nndarray\ncbuiltins\nobject\nNtR.",
        b"\x80\x04\x95",
        b"",
        b"not a pickle",
    ],
)
def test_odd_and_damaged_pickles_are_refused(data):
    with pytest.raises(DataError):
        read_arrays(data)


class Hidden:
    """Numbers of eight bytes that say of themselves to be an object."""

    def __reduce__(self):
        return np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0)


@pytest.mark.parametrize(
    "payload",
    [
        Evil(np.ndarray, (1,), "O", b"A" * 8),
        Evil(np.ndarray, (1,), Hidden(), b"A" * 8),
        Evil(np.zeros(1).__reduce_ex__(5)[0], b"A" * 8, Hidden(), (1,), "C"),
        Evil(np.float64(0).__reduce__()[0], Hidden(), b"A" * 8),
    ],
)
def test_numbers_of_a_pickle_are_never_taken_for_objects_in_memory(payload):
    with pytest.raises(DataError, match=r"no pickled array needs|are no numbers"):
        read_arrays(pickle.dumps({"poses": payload}, protocol=2))


def test_a_pickle_leaves_the_classes_that_it_names_as_they_are():
    before = scipy.sparse.csc_matrix.toarray
    with pytest.raises(DataError):
        read_arrays(b"cscipy.sparse._csc\ncsc_matrix\n(N(dS'toarray'\nI1\nstb.")
    assert scipy.sparse.csc_matrix.toarray is before
    with pytest.raises(DataError):
        read_arrays(b"c_codecs\nencode\n(N(dS'__defaults__'\n(I1\ntstb.")
    assert read_arrays(b"c_codecs\nencode\n(Va\ntR.") == b"a"


def test_every_kind_of_number_comes_out_of_a_pickle():
    for kind in ("<f8", ">f4", "<i2", "|u1", "?", "<c8", "S3", "<U3"):
        for value in (np.arange(6).reshape(2, 3).astype(kind), np.asfortranarray(np.ones((2, 3), kind))):
            for protocol in (0, 2, 5):
                found = read_arrays(pickle.dumps({"a": value, "b": value[1, 1]}, protocol))
                np.testing.assert_array_equal(found["a"], value)
                assert found["b"] == value[1, 1]


def test_sparse_matrices_that_point_outside_themselves_are_refused():
    matrix = scipy.sparse.csc_matrix(np.eye(4))
    matrix.indices = matrix.indices + 1_000_000
    with pytest.raises(DataError, match="damaged"):
        read_arrays(pickle.dumps({"J_regressor": matrix}))
    matrix = scipy.sparse.csc_matrix(np.eye(4))
    matrix._shape = (10**9, 10**9)
    with pytest.raises(DataError, match="1000000000 x 1000000000"):
        read_arrays(pickle.dumps({"J_regressor": matrix}))


@pytest.mark.parametrize("joints", [52, 55])
def test_fingers_and_faces_follow_the_nearest_joint_that_stays(joints, tmp_path):
    numbers = fields(joints, shapes=16)
    np.savez(tmp_path / "model.npz", gender=np.array("male"), **numbers)
    body = load_body(tmp_path / "model.npz")
    assert body.genders == ("male",)
    first, hands = (22, (25, 40)) if joints == 52 else (25, (28, 43))
    weights = numbers["weights"].astype(np.float32)
    left_hand = [hands[0] + i for i in range(3)]
    np.testing.assert_allclose(body.weights[0, :, 22], weights[:, left_hand].sum(1), atol=1e-6)
    rest = [i for i in range(first, first + 15) if i not in left_hand]
    np.testing.assert_allclose(body.weights[0, :, 20], weights[:, [20, *rest]].sum(1), atol=1e-6)
    np.testing.assert_array_equal(body.regressor[0, 23].numpy(), numbers["J_regressor"][hands[1]].astype(np.float32))
    kept = body.pose_directions[0].numpy().T.reshape(VERTICES, 3, 207)
    np.testing.assert_array_equal(kept[..., :189], numbers["posedirs"][..., :189].astype(np.float32))
    assert not kept[..., 189:].any()
    np.testing.assert_allclose(body.weights.sum(-1), 1, atol=1e-5)


def test_object_arrays_in_an_archive_are_read_by_the_same_reader(tmp_path):
    numbers = fields()
    holder = np.empty((), object)
    holder[()] = scipy.sparse.csc_matrix(numbers["J_regressor"])
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **(numbers | {"J_regressor": holder}))
    body = load_body(tmp_path / "SMPL_NEUTRAL.npz")
    np.testing.assert_array_equal(body.regressor[0].numpy(), numbers["J_regressor"].astype(np.float32))


def test_a_folder_gives_all_its_genders_and_plain_files_come_back(tmp_path):
    shared = fields()
    for seed, name in enumerate(("SMPL_MALE", "SMPL_FEMALE", "SMPL_NEUTRAL")):
        np.savez(tmp_path / f"{name}.npz", **(fields(seed=seed) | {"f": shared["f"]}))
    (tmp_path / "notes.txt").write_text("not a body")
    body = load_body(tmp_path)
    assert body.genders == ("male", "female", "neutral")
    assert load_body(tmp_path, "female").genders == ("female",)
    kept = load_body(save_body(body, tmp_path / "ours"))
    pose, shape = random_poses(3, torch.Generator().manual_seed(0)), torch.randn(3, 10)
    torch.testing.assert_close(kept(pose, shape, [0, 1, 2]).vertices, body(pose, shape, [0, 1, 2]).vertices)
    np.savez(tmp_path / "other_male.npz", **shared)
    with pytest.raises(DataError, match="holds two male bodies"):
        load_body(tmp_path)


def test_short_shapes_are_filled_up(tmp_path):
    np.savez(tmp_path / "m.npz", **fields(shapes=4))
    with pytest.warns(UserWarning, match="4 directions of shape"):
        body = load_body(tmp_path / "m.npz")
    assert not body.directions[..., 4:].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": None}, "it has no weights"),
        ({"v_template": np.zeros((VERTICES, 2))}, "template have the shape"),
        ({"v_template": np.full((VERTICES, 3), np.nan)}, "not finite"),
        ({"weights": np.full((VERTICES, 24), 1.0)}, "must sum to 1"),
        ({"f": np.array([[0, 1, VERTICES]])}, "faces name vertices outside"),
        ({"kintree_table": np.zeros((2, 30), np.uint32)}, "it has 30 joints"),
        ({"kintree_table": np.zeros((2, 24), np.uint32)}, "hang together in another way"),
        ({"v_template": np.array(["a"])}, "are no numbers"),
    ],
)
def test_what_is_no_body_is_refused_by_name(change, message, tmp_path):
    written = {name: value for name, value in (fields() | change).items() if value is not None}
    np.savez(tmp_path / "model.npz", **written)
    with pytest.raises(DataError, match=rf"model.npz.*{message}"):
        load_body(tmp_path / "model.npz")


def test_missing_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_body(tmp_path / "absent.pkl")
    with pytest.raises(DataError, match="holds no body file"):
        load_body(tmp_path)
    np.savez_compressed(tmp_path / "SMPL_MALE.npz", **fields())
    data = (tmp_path / "SMPL_MALE.npz").read_bytes()
    for cut in (data[: len(data) // 2], data[:50] + b"\xff" * 200 + data[250:]):
        (tmp_path / "SMPL_MALE.npz").write_bytes(cut)
        with pytest.raises(DataError, match="no body that can be read"):
            load_body(tmp_path)


def test_a_bomb_of_an_archive_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("unveil.body.array_files._LARGEST", 10_000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v_template.npy", b"\0" * 1_000_000)
    (tmp_path / "m.npz").write_bytes(packed.getvalue())
    with pytest.raises(DataError, match="larger than two gigabytes"):
        load_body(tmp_path / "m.npz")


def test_joints_of_a_loaded_body_have_the_usual_names(tmp_path):
    np.savez(tmp_path / "m.npz", **fields())
    assert load_body(tmp_path / "m.npz").skeleton().names == JOINTS
