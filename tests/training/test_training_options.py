import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from unveil.core.errors import ConfigError
from unveil.training.learning_rate import learning_rate
from unveil.training.options import Options


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 0}, "batch_size=0: it must be a whole number, 1 or more"),
        ({"batch_size": 64.0}, "batch_size=64.0"),
        ({"batch_size": 10, "accumulate": 4}, "must be a multiple of accumulate"),
        ({"lr": 0.0}, "lr=0.0: it must be a number above 0"),
        ({"lr": "fast"}, "lr='fast': it must be a number above 0"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"warmup": -1}, "warmup=-1"),
        ({"decay": "step"}, "decay='step': it must be one of constant, linear, cosine"),
        ({"betas": (0.9, 1.0)}, "betas=.*each from 0 up to, but below, 1"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"clip": -1.0}, "clip"),
        ({"clip_mode": "each"}, "clip_mode='each': it must be one of together, normalise"),
        ({"ema": 1.0}, "ema=1.0: it must be a number from 0"),
        ({"precision": "fp8"}, "precision='fp8': it must be one of fp32, bf16, fp16"),
        ({"seed": -1}, "seed=-1"),
        ({"keep": 0}, "keep=0"),
        ({"players": {"energy": {"seed": 1}}}, r"players\.energy\.seed: no such option for a single player"),
        ({"players": {"energy": {"lr": -1.0}}}, r"players\.energy: lr=-1\.0"),
    ],
)
def test_options_that_cannot_work_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Options(**values)


def test_a_player_has_its_own_options_and_shares_the_rest():
    options = Options(lr=1e-3, clip=2.0, players={"energy": {"lr": 1e-4, "ema": 0}})
    assert options.of("energy") == Options(lr=1e-4, clip=2.0, ema=0)
    assert options.of("generator") == Options(lr=1e-3, clip=2.0)


def test_the_record_survives_json_and_leaves_out_what_changes_no_weight():
    options = Options(players={"energy": {"lr": 1e-4, "betas": (0.5, 0.9)}})
    assert json.loads(json.dumps(options.record())) == options.record()
    left_out = {"compile", "log_every", "save_every", "sample_every", "keep", "clip_mode"}
    assert set(asdict(options)) - set(options.record()) == left_out
    assert Options(clip_mode="normalise").record()["clip_mode"] == "normalise"


def test_learning_rate_rises_then_stays_or_falls():
    def rates(decay):
        return [learning_rate(step, 12, Options(lr=8.0, warmup=4, decay=decay)) for step in range(12)]

    assert rates("constant") == [2, 4, 6, 8] + [8] * 8
    assert rates("linear") == [2, 4, 6, 8, 8, 7, 6, 5, 4, 3, 2, 1]
    assert rates("cosine")[4] == 8
    assert rates("cosine")[8] == pytest.approx(4)  # halfway down at half of the time
    assert rates("cosine")[6] == pytest.approx(4 + 4 * 0.5**0.5)


def test_a_warm_up_longer_than_the_stage_is_cut_off():
    assert learning_rate(9, 10, Options(lr=1.0, warmup=100, decay="cosine")) == pytest.approx(0.1)


def test_options_and_run_folders_need_no_torch():
    program = "import sys, unveil.training.options, unveil.training.run_folder; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
