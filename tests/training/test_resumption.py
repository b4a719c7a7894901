"""A training that goes on ends as one that was never cut off, and what is refused changes nothing."""

import warnings
from dataclasses import replace

import pytest
from torch import nn
from training.small_trainings import STEPS, PowerCut, assert_same, cut_at, lines, train
from training.tiny_training import OPTIONS, Denoiser, Points

from unveil.core.errors import ConfigError, DataError, RunError
from unveil.core.protocols import Stage
from unveil.training.checkpoint import Checkpoints
from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import load_weights
from unveil.training.trainer import Outcome, fit


@pytest.mark.parametrize(
    "cuts", [[("denoise", 3)], [("denoise", 33), ("denoise", 36)], [("denoise", 40), ("play", 1), ("play", 16)]]
)
def test_resumed_training_ends_with_the_very_same_weights_and_log(tmp_path, whole, cuts):
    run = RunFolder.create(tmp_path, "recipe")
    for cut in cuts:
        with pytest.raises(PowerCut):
            train(run, hooks=[cut_at(*cut)])
        with run.log.open("a") as log:
            log.write('{"stage": "den')  # torn
    assert_same(train(run), whole[0])
    assert lines(run) == whole[1]
    loaded = Denoiser()
    load_weights(loaded, run.weights)
    assert_same(loaded, whole[0])


def test_a_run_without_a_folder_ends_with_the_same_weights(whole):
    assert_same(train(), whole[0])


def test_a_finished_run_stays_as_it_is(tmp_path, whole):
    run = RunFolder.create(tmp_path, "recipe")
    train(run)
    before = run.weights.read_bytes(), run.log.read_bytes()
    assert_same(train(run), whole[0])
    assert (run.weights.read_bytes(), run.log.read_bytes()) == before


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, whole):
    run = RunFolder.create(tmp_path, "recipe")
    with pytest.raises(PowerCut):
        train(run, hooks=[cut_at("play", 9)])
    shelf = Checkpoints(run.state)
    assert shelf.places() == [(0, 40), (1, 7)]
    newest = shelf.path(1, 7)
    newest.write_bytes(newest.read_bytes()[:1000])
    with pytest.warns(UserWarning, match=r"damaged.* The checkpoint of step 40 is used instead"):
        resumed = train(run)
    assert_same(resumed, whole[0])
    assert lines(run) == whole[1]


def test_other_settings_are_told_when_resuming(tmp_path):
    run = RunFolder.create(tmp_path, "recipe")
    with pytest.raises(PowerCut):
        train(run, hooks=[cut_at("denoise", 9)])
    with pytest.warns(UserWarning, match=r"other settings than before \(lr was 0.01, is 0.02; steps was 40, is 44\)"):
        train(run, steps=44, options=replace(OPTIONS, lr=0.02, log_every=1))


def test_more_steps_may_be_added_and_fewer_may_not(tmp_path):
    class OneStage(Denoiser):
        def stages(self, steps):
            return [Stage("denoise", {"net": self.net}, steps, self.denoise)]

    options = replace(OPTIONS, decay="constant")
    long, run = OneStage(), RunFolder.create(tmp_path, "recipe")
    train(None, 20, options, long)
    train(run, 10, options, OneStage())
    with warnings.catch_warnings(action="error"):  # at a constant rate it is the run it would have been
        assert_same(train(run, 20, options, OneStage()), long)
    with pytest.raises(RunError, match="taken 20 steps of stage 'denoise' already, so it cannot end after 5; give 20"):
        train(run, 5, options, OneStage())


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    class Wider(Denoiser):
        def __init__(self):
            super().__init__()
            self.net[3] = nn.Linear(16, 3)

    class Renamed(Denoiser):
        def stages(self, steps):
            return [replace(stage, name="other") for stage in super().stages(steps)]

    class First(Denoiser):
        def stages(self, steps):
            return list(super().stages(steps))[:1]

    run = RunFolder.create(tmp_path, "recipe")
    train(run)
    with pytest.raises(RunError, match=r"does not fit this model: net.3.weight is \(2, 16\), not \(3, 16\)"):
        train(run, model=Wider())
    with pytest.raises(RunError, match="of stage 'play', but this model's stage is 'other'"):
        train(run, model=Renamed())
    with pytest.raises(RunError, match="of stage number 2, 'play', but this model has only 1"):
        train(run, model=First())


def everything(run):
    return {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file() and file.name != "lock"}


def test_what_is_refused_changes_nothing(tmp_path):
    run = RunFolder.create(tmp_path, "recipe")
    with pytest.raises(PowerCut):
        train(run, hooks=[cut_at("denoise", 9)])
    with run.log.open("a") as log:
        log.write('{"stage": "den')
    (run.state / "stage-000-step-000000008.safetensors.part").write_bytes(b"half")
    (run.state / "stage-000-step-000000008.safetensors").write_bytes(b"damaged")
    before = everything(run)

    def begin(settings):
        assert settings["lr"] == OPTIONS.lr
        raise ConfigError("not so")

    with pytest.warns(UserWarning, match="step 7 is used"), pytest.raises(ConfigError, match="not so"):
        train(run, begin=begin)
    with pytest.warns(UserWarning, match="step 7 is used"), pytest.raises(RunError, match="it cannot end after 4"):
        train(run, 4, begin=pytest.fail)
    assert everything(run) == before


@pytest.mark.parametrize(
    ("data", "options"),
    [(Points(), replace(OPTIONS, precision="fp16")), (Points(0), OPTIONS)],
    ids=["precision", "data"],
)
def test_a_new_folder_is_made_when_nothing_is_left_to_be_refused(tmp_path, data, options):
    run = RunFolder(tmp_path / "run")

    def begin(settings):
        assert settings is None
        RunFolder.create(run.path, "recipe")

    with pytest.raises((ConfigError, DataError)):
        fit(Denoiser(), data, 5, options, run=run, anew=True, begin=begin, progress=False, device="cpu")
    assert not run.path.exists()
    train(run, anew=True, begin=begin)
    assert (run.read_recipe(), len(run.read_log())) == ("recipe", 12)


def test_a_finished_run_gets_its_weights_back_and_nothing_else(tmp_path, whole):
    run = RunFolder.create(tmp_path, "recipe")
    assert outcome(run) == Outcome(STEPS + STEPS // 2)
    before = everything(run)
    run.weights.unlink()
    assert outcome(run, begin=pytest.fail) == Outcome(0, restored=True)
    assert everything(run) == before
    run.weights.write_bytes(before[run.weights][:-9])
    with warnings.catch_warnings(action="error"):  # other settings are of no matter when no step is taken
        assert outcome(run, options=replace(OPTIONS, lr=1.0)) == Outcome(0, restored=True)
    assert everything(run) == before
    assert outcome(run) == Outcome(0)


def outcome(run, options=OPTIONS, **more):
    return fit(Denoiser(), Points(), STEPS, options, run=run, progress=False, device="cpu", **more)


def test_two_trainings_in_one_folder_are_refused(tmp_path):
    run = RunFolder.create(tmp_path, "recipe")
    with run.lock(), pytest.raises(RunError, match="A training is going on"):
        train(run)
