import errno
import os
import sys
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import unveil.training.tensor_file as tensor_file
from unveil.core.errors import ExistsError, RunError
from unveil.training.checkpoint import Checkpoint, Checkpoints
from unveil.training.disk import written_whole
from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import load_weights, read_tensors, write_tensors


def test_a_new_run_holds_its_recipe(tmp_path):
    run = RunFolder.create(tmp_path / "runs" / "first", "kind: diffusion  # été\n")
    assert run.read_recipe() == "kind: diffusion  # été\n"
    assert sorted(file.name for file in run.path.iterdir()) == ["recipe.yaml", "samples", "state"]
    assert RunFolder.open(run.path, trained=False).path == run.path


def test_an_empty_folder_may_become_a_run(tmp_path):
    assert RunFolder.create(tmp_path, "x").recipe.exists()


def test_what_exists_is_only_replaced_by_force(tmp_path):
    run = RunFolder.create(tmp_path / "run", "old")
    run.weights.write_bytes(b"old")
    (run.state / "stage-000-step-000000001.safetensors").write_bytes(b"old")
    (run.samples / "train-0000001.png").write_bytes(b"old")
    (run.samples / "mine.png").write_bytes(b"mine")
    (run.path / "notes.txt").write_text("mine")
    with pytest.raises(ExistsError, match=r"exists and is not empty; choose another folder, resume .* or replace it"):
        RunFolder.create(run.path, "new")
    assert run.read_recipe() == "old"
    RunFolder.create(run.path, "new", force=True)
    assert run.read_recipe() == "new"
    assert not run.weights.exists()
    assert [file.name for file in run.state.iterdir()] == ["lock"]
    assert [file.name for file in run.samples.iterdir()] == ["mine.png"]
    assert (run.path / "notes.txt").read_text() == "mine"


def test_force_never_replaces_anything_but_a_run(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ExistsError, match="is not the folder of a run, so it is not replaced"):
        RunFolder.create(tmp_path, "x", force=True)
    with pytest.raises(ExistsError):
        RunFolder.create(tmp_path / "thesis.tex", "x", force=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_what_is_no_run_is_refused_with_what_is_missing(tmp_path):
    RunFolder.create(tmp_path / "digits", "x")
    with pytest.raises(RunError, match=r"There is no run at .*digit; did you mean .*digits\?"):
        RunFolder.open(tmp_path / "digit")
    with pytest.raises(RunError, match=r"digits has no weights.safetensors: its training was stopped"):
        RunFolder.open(tmp_path / "digits")
    (tmp_path / "other").mkdir()
    with pytest.raises(RunError, match=r"it has no recipe.yaml and no weights.safetensors"):
        RunFolder.open(tmp_path / "other", trained=False)
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is a file, not the folder of a run"):
        RunFolder.open(tmp_path / "file")


def test_only_the_first_process_makes_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert not RunFolder.create(tmp_path / "run", "x").path.exists()


def test_a_folder_is_trained_in_by_one_at_a_time(tmp_path):
    run = RunFolder.create(tmp_path, "x")
    with run.lock():
        busy = rf"A training is going on in .* already \(process {os.getpid()} on .*\)"
        with pytest.raises(RunError, match=busy), RunFolder(tmp_path).lock():
            pass
        with pytest.raises(RunError, match=busy):
            RunFolder.create(tmp_path, "y", force=True)
    with run.lock():
        pass


def test_the_log_is_cut_to_whole_lines(tmp_path):
    run = RunFolder.create(tmp_path, "x")
    assert run.read_log() == []
    run.log.write_bytes(b'{"step": 1}\n{"step": 2}\n{"ste')
    assert run.read_log() == [{"step": 1}, {"step": 2}]
    run.cut_log(1000)
    assert run.log.read_bytes() == b'{"step": 1}\n{"step": 2}\n'
    run.cut_log(12)
    assert run.log.read_bytes() == b'{"step": 1}\n'


def test_a_run_that_cannot_be_made_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RunError, match="The disk is full"):
        RunFolder.create(tmp_path / "run", "x")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_may_not_be_written_to_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunError, match="could not be written: Permission denied"):
        RunFolder.create(tmp_path / "run", "x")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write_half():
        with written_whole(path) as part:
            part.write_text("half of the ne")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert path.read_text() == "old"
    with written_whole(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file"]


# -- tensors and checkpoints


def tensors():
    shared = torch.arange(6.0)
    return {
        "plain": torch.randn(2, 3),
        "half": torch.randn(4).bfloat16(),
        "images": torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "complex": torch.randn(3, dtype=torch.complex64),
        "flags": torch.tensor([True, False]),
        "step": torch.tensor(7),
        "none": torch.zeros(0, 3),
        "one": shared,
        "same": shared,
    }


def test_tensors_and_notes_come_back_as_they_were(tmp_path):
    given, notes = tensors(), {"stage": "été", "losses": [0.1, 1 / 3]}
    write_tensors(tmp_path / "x.safetensors", given, notes)
    found, about = read_tensors(tmp_path / "x.safetensors")
    assert about == notes
    assert found.keys() == given.keys() == load_file(tmp_path / "x.safetensors").keys()
    for name, tensor in given.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype


def test_damage_anywhere_is_noticed(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, tensors(), {"step": 7})
    whole = path.read_bytes()
    for length in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(RunError, match="is damaged"):
            read_tensors(path)
    for place in (len(whole) - 1, len(whole) - 60, whole.index(b'{\\"step'), whole.index(b"7}")):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(RunError, match="is damaged"):
            read_tensors(path)
    with pytest.raises(RunError, match="cannot be read: No such file"):
        read_tensors(tmp_path / "absent")


def test_equal_tensors_and_notes_give_equal_bytes(tmp_path):
    given, notes = tensors(), {"stage": "\u00e9t\u00e9", "step": 7}
    for number in range(8):  # the library writes the metadata in another order each time
        write_tensors(tmp_path / str(number), given, notes)
    assert len({(tmp_path / str(number)).read_bytes() for number in range(8)}) == 1
    found = load_file(tmp_path / "0")
    assert all(torch.equal(found[name], tensor) for name, tensor in given.items())


def refuse_to_open(monkeypatch, path):
    """Let a file be as if its permissions were 000, which root would not notice."""
    opened = Path.open

    def refuse(self, *arguments, **options):
        if self == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)


def test_a_file_that_may_not_be_read_is_not_called_missing(tmp_path, monkeypatch):
    write_tensors(tmp_path / "x", tensors(), {})
    refuse_to_open(monkeypatch, tmp_path / "x")
    with pytest.raises(RunError, match="x cannot be read: Permission denied"):
        read_tensors(tmp_path / "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match="folder cannot be read: Is a directory"):
        read_tensors(tmp_path / "folder")


def test_a_checkpoint_that_cannot_be_read_gives_way_to_the_one_before(tmp_path, monkeypatch):
    shelf = Checkpoints(tmp_path)
    for step in (5, 10):
        shelf.save(Checkpoint(0, step, {"x": torch.full((100,), step)}))
    refuse_to_open(monkeypatch, shelf.path(0, 10))
    with pytest.warns(UserWarning, match=r"10.safetensors cannot be read: Permission .* of step 5 is used instead"):
        assert shelf.newest().step == 5
    shelf.path(0, 5).unlink()
    with pytest.raises(RunError, match=r"No checkpoint is whole: .* cannot be read: Permission denied"):
        shelf.newest()


def test_weights_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    write_tensors(path, nn.Linear(3, 4).state_dict(), {"averaged": True})
    model = nn.Linear(3, 4)
    assert load_weights(model, path) == {"averaged": True}
    assert torch.equal(model.weight, read_tensors(path)[0]["weight"])
    with pytest.raises(RunError, match=r"does not fit this model: weight is \(4, 3\), not \(5, 3\); bias is \(4,\)"):
        load_weights(nn.Linear(3, 5), path)
    with pytest.raises(RunError, match=r"bias is not in the model"):
        load_weights(nn.Linear(3, 4, bias=False), path)
    with pytest.raises(RunError, match=r"0.weight is missing; 0.bias is missing; 1.weight is missing; and 3 more"):
        load_weights(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4)), path)


def test_the_newest_checkpoints_are_kept(tmp_path):
    shelf = Checkpoints(tmp_path, keep=2)
    assert shelf.newest() is None
    for stage, step in ((0, 5), (0, 10), (1, 0), (1, 2)):
        shelf.save(Checkpoint(stage, step, {"x": torch.tensor(step)}, {"stage": "s"}))
    assert shelf.places() == [(1, 0), (1, 2)]
    found = shelf.newest()
    assert (found.stage, found.step, int(found.tensors["x"]), found.notes) == (1, 2, 2, {"stage": "s"})


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, recwarn):
    shelf = Checkpoints(tmp_path, keep=3)
    for step in (5, 10, 15):
        shelf.save(Checkpoint(0, step, {"x": torch.full((100,), step)}))
    for step in (10, 15):
        damaged = shelf.path(0, step)
        damaged.write_bytes(damaged.read_bytes()[:-7])
    (tmp_path / "stage-000-step-000000020.safetensors.part").write_bytes(b"half")
    assert shelf.newest().step == 5
    for step in (15, 10):
        message = str(recwarn.pop(UserWarning).message)
        assert f"0000{step}.safetensors is damaged" in message
        assert "The checkpoint of step 5 is used instead." in message
    assert len(list(tmp_path.iterdir())) == 4  # looking changes nothing
    shelf.drop_after(0, 5)
    assert [file.name for file in tmp_path.iterdir()] == ["stage-000-step-000000005.safetensors"]
    with warnings.catch_warnings(action="error"):
        assert shelf.newest().step == 5
    shelf.path(0, 5).write_bytes(b"")
    with pytest.raises(RunError, match="No checkpoint is whole"):
        shelf.newest()
    assert shelf.path(0, 5).exists()


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), Exception("I/O error (os error 28)")])
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch, failure):
    shelf = Checkpoints(tmp_path)
    shelf.save(Checkpoint(0, 5, {"x": torch.ones(3)}))

    def fill(tensors, path, metadata):
        path.write_bytes(b"half")
        raise failure

    monkeypatch.setattr(tensor_file, "save_file", fill)
    with pytest.raises(RunError, match=r"The disk is full: .*Free some space and resume"):
        shelf.save(Checkpoint(0, 10, {"x": torch.ones(3)}))
    assert [file.name for file in tmp_path.iterdir()] == [shelf.path(0, 5).name]
    assert shelf.newest().step == 5
