"""One trainer for every model: who draws what, hooks, stages and averages."""

import threading
from dataclasses import replace

import pytest
import torch
from torch import nn
from training.small_trainings import STEPS, PowerCut, assert_same, cut_at, train
from training.tiny_training import OPTIONS, Denoiser, Points

from unveil.core.errors import ConfigError, DataError
from unveil.core.protocols import Stage
from unveil.core.random import Streams
from unveil.training.feed import Feed
from unveil.training.hooks import every
from unveil.training.options import Options
from unveil.training.order import Order, Purpose, seed_for
from unveil.training.processes import Processes
from unveil.training.run_folder import RunFolder
from unveil.training.trainer import fit


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


def test_only_a_module_can_be_trained():
    with pytest.raises(ConfigError, match=r"list cannot be trained: it must be an nn\.Module"):
        fit([], Points(), 1)
