import json
import threading
import warnings
from dataclasses import replace

import pytest
import torch
from torch import nn
from training.tiny_training import OPTIONS, Denoiser, Points

from unveil.core.errors import ConfigError, DataError, DivergenceError, RunError
from unveil.core.protocols import Move, Stage
from unveil.core.random import Streams
from unveil.training.checkpoint import Checkpoints
from unveil.training.feed import Feed
from unveil.training.hooks import every
from unveil.training.options import Options
from unveil.training.order import Order, Purpose, seed_for
from unveil.training.processes import Processes
from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import load_weights
from unveil.training.trainer import Outcome, fit

STEPS = 40  # of the first stage; the second has half as many


def train(run=None, steps=STEPS, options=OPTIONS, model=None, **more):
    model = model or Denoiser()
    fit(model, Points(), steps, options, run=run, progress=False, device="cpu", **more)
    return model


def assert_same(a, b):
    assert a.state_dict().keys() == b.state_dict().keys()
    assert all(torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items())


class PowerCut(Exception):
    pass


def cut_at(stage, step):
    def cut(moment):
        if (moment.stage, moment.step) == (stage, step):
            raise PowerCut

    return cut


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an uninterrupted training gives: the model and its log."""
    run = RunFolder.create(tmp_path_factory.mktemp("whole"), "recipe")
    return train(run), lines(run)


def lines(run):
    return [{key: value for key, value in line.items() if key != "steps_per_second"} for line in run.read_log()]


# -- resuming


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


# -- what a step is given


def test_every_row_of_the_whole_batch_has_its_own_stream_wherever_it_is_computed():
    data, options = Points(), Options(batch_size=12, seed=9)
    whole = Feed(data, options, 1, Processes(torch.device("cpu"))).parts(5)
    assert len(whole) == 1
    draws = whole[0].generator.randn((12, 4))
    assert torch.equal(draws, Streams(seed_for(9, 1, 5), 12).randn((12, 4)))
    index = Order(len(data), 12, 9, 1).batch(5)
    assert whole[0].cond["label"].tolist() == (index % 3).tolist()
    expected = data.batch(index.tolist(), Streams(seed_for(9, 1, 5, Purpose.DATA), 12))[0]
    assert torch.equal(whole[0].x, expected)
    shares = [
        part
        for rank in range(2)
        for part in Feed(
            data, replace(options, accumulate=3), 1, Processes(torch.device("cpu"), rank=rank, world=2)
        ).parts(5)
    ]
    assert [len(part) for part in shares] == [2] * 6
    assert torch.equal(torch.cat([part.x for part in shares]), whole[0].x)
    assert torch.equal(torch.cat([part.cond["label"] for part in shares]), whole[0].cond["label"])
    assert torch.equal(torch.cat([part.generator.randn((2, 4)) for part in shares]), draws)


def test_a_batch_that_cannot_be_shared_is_refused():
    here = Processes(torch.device("cpu"), world=3)
    with pytest.raises(ConfigError, match=r"batch_size=8 cannot be shared equally by 3 processes .* multiple of 6"):
        Feed(Points(), Options(batch_size=8, accumulate=2), 0, here)
    with pytest.raises(DataError, match="no samples to train on"):
        Feed(Points(0), Options(), 0, here)


def test_images_may_be_given_channels_last():
    class Images:
        def __len__(self):
            return 4

        def batch(self, index, generator=None):
            return torch.zeros(len(index), 3, 4, 4), {}

    here = Processes(torch.device("cpu"))
    (part,) = Feed(Images(), Options(batch_size=2, channels_last=True), 0, here).parts(0)
    assert part.x.is_contiguous(memory_format=torch.channels_last)


def test_an_error_of_the_data_comes_through():
    class Broken(Points):
        def batch(self, index, generator=None):
            raise DataError("picture 7 is damaged")

    with pytest.raises(DataError, match="picture 7 is damaged"):
        fit(Denoiser(), Broken(), 5, OPTIONS, progress=False, device="cpu")
    assert not any(thread.name.startswith("unveil-data") for thread in threading.enumerate())


# -- what happens around the steps


def test_the_users_random_state_is_left_alone_and_changes_nothing(whole):
    torch.manual_seed(123)
    expected = torch.randn(3)
    torch.manual_seed(123)
    model = train()
    assert torch.equal(torch.randn(3), expected)
    assert_same(model, whole[0])


def test_hooks_are_called_after_every_step_and_cannot_change_the_result(whole):
    steps, sampled = [], []

    def meddle(moment):
        steps.append((moment.stage, moment.step, moment.steps, moment.main))
        torch.rand(5)

    def sample(moment):
        raw = [value.clone() for value in moment.model.parameters()]
        with moment.averaged():
            assert not moment.model.net.training
            assert not torch.equal(moment.model.net[0].weight, raw[0])
            sampled.append((moment.stage, moment.step, "loss" in moment.logs))
        assert all(torch.equal(a, b) for a, b in zip(raw, moment.model.parameters(), strict=True))

    assert_same(train(hooks=[meddle, every(15, sample), every(0, sample)]), whole[0])
    expected = [("denoise", step, 40, True) for step in range(1, 41)] + [
        ("play", step, 20, True) for step in range(1, 21)
    ]
    assert steps == expected
    assert sampled == [
        ("denoise", 15, True),
        ("denoise", 30, True),
        ("denoise", 40, True),
        ("play", 15, False),
        ("play", 20, False),
    ]


def test_a_stage_begins_with_the_averages_of_the_one_before(tmp_path):
    averages = {}

    class Watched(Denoiser):
        def stages(self, steps):
            first, second = super().stages(steps)
            yield first
            averages["after"] = self.net[0].weight.clone()
            yield second

    def watch(moment):
        if (moment.stage, moment.step) == ("denoise", STEPS):
            with moment.averaged():
                averages["kept"] = moment.model.net[0].weight.clone()

    model = train(model=Watched(), hooks=[watch])
    assert torch.equal(averages["after"], averages["kept"])
    assert not model.training


def test_stages_may_be_made_as_training_goes(tmp_path):
    class Growing(Denoiser):
        def stages(self, steps):
            yield Stage("denoise", {"net": self.net}, steps, self.denoise)
            self.critic = nn.Linear(2, 1)  # random, and yet the same after an interruption
            yield Stage("play", {"net": self.net, "critic": self.critic}, steps, self.play)

    whole = train(model=Growing())
    run = RunFolder.create(tmp_path, "recipe")
    for cut in (("denoise", 40), ("play", 17)):
        with pytest.raises(PowerCut):
            train(run, model=Growing(), hooks=[cut_at(*cut)])
    assert_same(train(run, model=Growing()), whole)


def test_log_lines_are_means_since_the_line_before(tmp_path):
    class Counting(Denoiser):
        def stages(self, steps):
            return [Stage("count", {"net": self.net}, steps, self.count)]

        def count(self, batch):
            loss = self.net(batch.x).sum() * 0 + batch.step
            yield Move("net", loss, {"half": loss.detach() / 2, "rows": torch.arange(4)})

    run = RunFolder.create(tmp_path, "recipe")
    options = Options(batch_size=4, log_every=4, warmup=10, lr=1.0)
    train(run, 10, options, Counting())
    logged = lines(run)
    assert [line["step"] for line in logged] == [4, 8, 10]
    assert [line["loss"] for line in logged] == [1.5, 5.5, 8.5]
    assert [line["half"] for line in logged] == [0.75, 2.75, 4.25]
    assert not any("rows" in line for line in logged)  # one value a sample is for errors alone
    assert [line["lr"] for line in logged] == pytest.approx([0.4, 0.8, 1.0])
    assert {line["stage"] for line in logged} == {"count"}


class Exploding(Denoiser):
    def stages(self, steps):
        return [Stage("rise", {"net": self.net}, steps, self.rise)]

    def rise(self, batch):
        loss = self.net(batch.x).square().mean()
        blown = loss * float("nan") if batch.step == 12 else loss
        yield Move("net", blown, {"t": torch.tensor([0.25, 0.5])})


def test_a_loss_that_is_not_finite_names_stage_step_and_player(tmp_path):
    run = RunFolder.create(tmp_path, "recipe")
    message = r"the loss of the player 'net' became nan in step 13 of stage 'rise' \(t = \[0.25, 0.5\], gradient_norm"
    with pytest.raises(DivergenceError, match=message):
        train(run, 100, replace(OPTIONS, log_every=1000, save_every=5), Exploding())
    assert Checkpoints(run.state).places() == [(0, 5), (0, 10)]  # none with broken weights


def test_weights_that_are_not_finite_are_never_kept(tmp_path):
    class Quiet(Exploding):
        def rise(self, batch):
            with torch.no_grad():
                self.net[0].weight[0, 0] = float("nan") if batch.step == 12 else 0.0
            yield Move("net", self.net[3].weight.square().sum())

    run = RunFolder.create(tmp_path, "recipe")
    with pytest.raises(DivergenceError, match="weights are no longer finite after step 13"):
        train(run, 100, replace(OPTIONS, save_every=13), Quiet())
    assert Checkpoints(run.state).places() == [(0, 0)]


def test_progress_is_told_in_lines_where_there_is_no_terminal(capsys):
    fit(Denoiser(), Points(), STEPS, OPTIONS, device="cpu")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("denoise 40/40, loss ")
    assert said[1].startswith("play 20/20, critic.loss ")
    assert said[1].endswith("it/s, done")


def test_progress_may_be_told_to_anyone():
    class Ear:
        heard = ()

        def begin(self, stage, done, steps):
            self.heard += ((stage, done, steps),)

        def update(self, done, logs):
            self.done = done

        def close(self):
            self.heard += (self.done,)

    ear = Ear()
    fit(Denoiser(), Points(), STEPS, OPTIONS, device="cpu", progress=ear)
    assert ear.heard == (("denoise", 0, 40), ("play", 0, 20), 20)


def test_what_a_stage_wants_shown_is_told_beside_its_losses():
    class Shows(Denoiser):
        def stages(self, steps):
            for stage in super().stages(steps):
                yield replace(stage, moves=self.logged(stage.moves), shown=("worth",))

        def logged(self, moves):
            def found(batch):
                for move in moves(batch):
                    yield move._replace(logs={"worth": torch.ones(()), "dull": torch.zeros(())})

            return found

    class Ear:
        def begin(self, stage, done, steps):
            self.heard = set()

        def update(self, done, logs):
            self.heard |= set(logs)

        def close(self):
            pass

    ear = Ear()
    model = Shows()
    model.stages = lambda steps: iter([next(Shows.stages(model, steps))])
    fit(model, Points(), 4, OPTIONS, device="cpu", progress=ear)
    assert ear.heard == {"loss", "worth"}


def test_only_a_module_can_be_trained():
    with pytest.raises(ConfigError, match=r"list cannot be trained: it must be an nn\.Module"):
        fit([], Points(), 1)


def test_the_log_is_plain_json(tmp_path):
    run = RunFolder.create(tmp_path, "recipe")
    train(run, 5)
    for line in run.log.read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
