import re
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_runs import DIFFUSION, tiny_run

import unveil
from unveil.core.errors import ConfigError, DataError, ExistsError, RunError
from unveil.recipes import dump
from unveil.tasks import train as training
from unveil.tasks.sample import sample
from unveil.tasks.train import carry_out, plan, train
from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import read_tensors


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "digits", steps=6).path


@pytest.fixture
def run(tmp_path, finished):
    """The folder of a run that is finished."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """The folder of a run of digits that was stopped after 3 of 6 steps."""
    return stopped(tmp_path / "begun", monkeypatch)


class PowerCut(Exception):
    pass


def stopped(path, monkeypatch, **options):
    def cut(moment):
        if moment.step == 4:
            raise PowerCut

    small = [*DIFFUSION, "training.sample_every=1", "training.save_every=3"]
    monkeypatch.setattr(training, "_pictures", lambda *given: cut)
    with pytest.raises(PowerCut):
        train("digits-ddpm", out=path, steps=6, overrides=small, **options)
    monkeypatch.setattr(training, "_pictures", lambda *given: lambda moment: None)
    return path


def everything(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file() and file.name != "lock"}


def pictures(folder, seed=0, size=8):
    folder.mkdir(parents=True)
    for i in range(20):
        noise = torch.randint(0, 256, (size, size), generator=torch.Generator().manual_seed(100 * seed + i))
        Image.fromarray(noise.byte().numpy()).save(folder / f"{i:02}.png")
    return folder


# --- what may change, and what may not ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("model.predict=v", "was begun with model.predict eps, not v"),
        ("model.network.channels=16", "was begun with model.network.channels 8, not 16"),
        ("model.network.mult=1,2,2", "was begun with model.network.mult [1, 2], not [1, 2, 2]"),
        ("model.schedule.kind=linear-vp", "was begun with model.schedule.kind discrete-linear, not linear-vp"),
        ("data.size=16", "was begun with data.size [8, 8], not [16, 16]"),
        ("data.channels=3", "was begun with data.channels 1, not 3"),
        ("training.steps=2", "has taken 3 steps already, so it cannot end after 2; give 3 or more"),
    ],
)
def test_what_cannot_change_is_refused_and_named_and_nothing_is_written(begun, change, said):
    before = everything(begun)
    with pytest.raises(ConfigError, match=re.escape(said)):
        train(begun, resume=True, overrides=[change])
    assert everything(begun) == before
    train(begun, resume=True)


def test_what_the_trainer_refuses_changes_nothing_either(begun):
    before = everything(begun)
    with pytest.raises(ConfigError, match="fp16"):
        train(begun, resume=True, overrides=["training.precision=fp16"])
    assert everything(begun) == before


def test_training_may_change_and_the_recipe_says_so(begun):
    with pytest.warns(UserWarning, match=r"other settings than before \(lr was .*, is 0.01; steps was 6, is 8\)"):
        train(begun, resume=True, steps=8, overrides=["training.lr=0.01", "training.save_every=2"])
    recipe = unveil.resolve(begun)
    assert (recipe.training.steps, recipe.training.lr, recipe.training.save_every) == (8, 0.01, 2)


def test_one_override_may_be_given_as_it_is(begun):
    assert plan("digits-ddpm", out=begun / "new", overrides="training.lr=0.5").recipe.training.lr == 0.5
    assert plan(begun, resume=True, overrides="training.lr=0.5").recipe.training.lr == 0.5


def test_resuming_and_replacing_exclude_each_other(run):
    with pytest.raises(ConfigError, match=r"goes on with a run and .* replaces it; give one"):
        plan(run, resume=True, force=True)


def test_a_run_goes_on_where_it_is(run, begun, tmp_path):
    with pytest.raises(ConfigError, match=r"run is a run itself, and resuming goes on where .* to go on with .*else"):
        plan(run, resume=True, out=tmp_path / "else")
    assert plan(run, resume=True, out=tmp_path / "begun" / ".." / "run").first == unveil.resolve(run)
    assert plan(run, out=tmp_path / "else").first is None


def test_a_run_that_is_not_there_is_no_unknown_recipe(run):
    with pytest.raises(RunError, match=r"There is no run at .*runn; did you mean .*run\?"):
        plan(run.with_name("runn"), resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_place_that_is_no_run_is_told_what_helps(tmp_path, resume):
    (tmp_path / "file").touch()
    with pytest.raises(
        ExistsError, match=r"file exists and is a file; a run is a folder, so name another place \(--out\)"
    ):
        plan("digits-ddpm", out=tmp_path / "file", resume=resume)
    with pytest.raises(ExistsError, match="exists and is not the folder of a run; name another"):
        plan("digits-ddpm", out=tmp_path, resume=resume)


def test_a_recipe_may_be_long_text(tmp_path):
    text = "\n".join([f"# {'long ' * 80}", dump(unveil.resolve("digits-ddpm"))])
    assert plan(text, resume=True).path == Path("runs/digits-ddpm")


# --- runs that are finished -----------------------------------------------------------------------------------------


def test_a_finished_run_gets_its_weights_back(run):
    before = everything(run)
    (run / "weights.safetensors").unlink()
    with pytest.warns(UserWarning, match="weights.safetensors was missing or damaged, and was written again"):
        again = train(run, resume=True)
    assert everything(run) == before
    assert torch.equal(sample(again, 2, steps=2), sample(run, 2, steps=2))


def test_what_was_asked_of_a_finished_run_is_not_recorded(run):
    before = everything(run)
    with pytest.warns(UserWarning, match="was finished already, so nothing was trained and its recipe stays as it was"):
        again = train(run, resume=True, overrides=["training.lr=0.5"])
    assert everything(run) == before
    assert again.recipe == unveil.resolve(run)
    with warnings.catch_warnings(action="error"):
        assert carry_out(plan(run, resume=True))[1].steps == 0


def test_weights_without_checkpoints_are_not_trained_over(run):
    shutil.rmtree(run / "state")
    before = everything(run)
    with pytest.raises(RunError, match="has weights but no checkpoint in state/ to go on from"):
        train(run, resume=True)
    assert everything(run) == before


def test_equal_trainings_give_equal_files(run, tmp_path):
    again = tiny_run(tmp_path / "again", steps=6).path
    assert (again / "weights.safetensors").read_bytes() == (run / "weights.safetensors").read_bytes()


# --- data -----------------------------------------------------------------------------------------------------------


def test_data_that_has_moved_is_found_again(tmp_path, monkeypatch):
    path = stopped(tmp_path / "run", monkeypatch, data=pictures(tmp_path / "mine"))
    (tmp_path / "mine").rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"The data of .*run was at .*mine, where nothing is any more; .*\(--data\)"):
        plan(path, resume=True)
    with warnings.catch_warnings(action="error"):
        train(path, resume=True, data=tmp_path / "moved")
    assert unveil.resolve(path).data.source == str(tmp_path / "moved")


def test_a_run_does_not_go_on_with_other_pictures(tmp_path, monkeypatch):
    path = stopped(tmp_path / "run", monkeypatch, data=pictures(tmp_path / "mine"))
    before = everything(path)
    with pytest.raises(RunError, match=r"was begun with the pictures of .*mine, and those of .*other are others"):
        train(path, resume=True, data=pictures(tmp_path / "other", seed=1))
    assert everything(path) == before
    (tmp_path / "mine" / "00.png").unlink()
    with pytest.warns(UserWarning, match="its data has changed"):
        train(path, resume=True)


def test_more_classes_than_a_run_was_begun_with_are_refused(tmp_path):
    for seed, place in enumerate(("mine/a", "mine/b", "c")):
        pictures(tmp_path / place, seed)
    small = [*DIFFUSION, "training.sample_every=0", "model.labels=true"]
    train("digits-ddpm", out=tmp_path / "run", data=tmp_path / "mine", steps=2, overrides=small)
    (tmp_path / "c").rename(tmp_path / "mine" / "c")
    with pytest.raises(ConfigError, match=r"was begun with data.classes 2, not 3"):
        train(tmp_path / "run", resume=True, steps=4)


# --- new runs -------------------------------------------------------------------------------------------------------


def test_a_training_that_is_refused_leaves_no_folder_and_the_old_run(run, tmp_path):
    bad = ["training.precision=fp16"]
    with pytest.raises(ConfigError, match="fp16"):
        tiny_run(tmp_path / "new", overrides=bad)
    assert not (tmp_path / "new").exists()
    before = everything(run)
    with pytest.raises(ConfigError, match="fp16"):
        tiny_run(run, force=True, overrides=bad)
    assert everything(run) == before


def test_force_begins_anew(run):
    assert read_tensors(run / "weights.safetensors")[1]["step"] == 6
    tiny_run(run, steps=2, force=True)
    assert read_tensors(run / "weights.safetensors")[1]["step"] == 2
    assert len(RunFolder(run).read_log()) == 1
