"""What a training says of itself: its log, its progress, and where numbers stop being finite."""

import json
from dataclasses import replace

import pytest
import torch
from training.small_trainings import STEPS, lines, train
from training.tiny_training import OPTIONS, Denoiser, Points

from unveil.core.errors import DivergenceError
from unveil.core.protocols import Move, Stage
from unveil.training.checkpoint import Checkpoints
from unveil.training.options import Options
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit


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


def test_the_log_is_plain_json(tmp_path):
    run = RunFolder.create(tmp_path, "recipe")
    train(run, 5)
    for line in run.log.read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
