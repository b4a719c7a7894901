import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch
from rich.console import Console
from training.tiny_training import OPTIONS, Denoiser, Points

from unveil.training.checkpoint import Checkpoints
from unveil.training.interrupt import Interrupt
from unveil.training.progress import Bar, Lines
from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import load_weights, read_tensors
from unveil.training.trainer import fit

PROGRAM = Path(__file__).with_name("tiny_training.py")
STEPS = 150


def uninterrupted(tmp_path):
    run = RunFolder.create(tmp_path / "whole", "recipe")
    fit(Denoiser(), Points(), STEPS, OPTIONS, run=run, progress=False, device="cpu")
    return run


def assert_same_runs(a, b):
    weights, expected = read_tensors(a.weights)[0], read_tensors(b.weights)[0]
    assert weights.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in weights.items())
    clean = [[{**line, "steps_per_second": 0} for line in run.read_log()] for run in (a, b)]
    assert clean[0] == clean[1]


def start(*arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROGRAM.parents[2])}
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="killing children needs fork")
def test_killed_ten_times_it_ends_with_the_very_same_weights_and_log(tmp_path):
    run = RunFolder.create(tmp_path / "killed", "recipe")
    program = start("kill", run.path, STEPS, 10, 1)
    said, complaint = program.communicate(timeout=300)
    assert program.returncode == 0, complaint
    assert json.loads(said) == {"killed": 10}
    assert_same_runs(run, uninterrupted(tmp_path))
    assert not list(run.path.rglob("*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are otherwise there")
def test_asked_to_stop_it_saves_and_says_how_to_go_on(tmp_path):
    run = RunFolder.create(tmp_path / "stopped", "recipe")
    program = start("wait", run.path, STEPS)
    assert program.stdout.readline() == "begun\n"
    deadline = time.monotonic() + 60
    while not run.read_log() and time.monotonic() < deadline:
        time.sleep(0.02)
    program.send_signal(signal.SIGTERM)
    said, complaint = program.communicate(timeout=60)
    assert program.returncode == 128 + signal.SIGTERM, complaint
    stage, step = Checkpoints(run.state).places()[-1]
    assert stage == 0
    assert said.startswith(f"Stopped after step {step} of 150 of stage 'denoise'; everything is kept in {run.path}.")
    assert "Resume" in said
    load_weights(Denoiser(), run.weights)  # what there is can be used
    fit(Denoiser(), Points(), STEPS, OPTIONS, run=run, progress=False, device="cpu")
    assert_same_runs(run, uninterrupted(tmp_path))


def test_a_second_control_c_stops_at_once(monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as stop:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # an echo
        assert stop.signal == signal.SIGINT
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 5)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_bar_goes_on_from_where_a_stage_was_left(tmp_path):
    with open(tmp_path / "screen", "w+") as screen:
        bar = Bar(Console(file=screen, force_terminal=True, width=120))
        bar.begin("denoise", 30, 40)
        bar.update(31, {"loss": 0.5, "slope": 9.0})
        bar.update(40, {"net.loss": 0.25})
        bar.close()
        screen.seek(0)
        text = screen.read()
    assert "31/40" in text
    assert "loss 0.5 " in text
    assert "40/40" in text
    assert "net.loss 0.25" in text
    assert "slope 9" in text


def test_lines_tell_the_time_that_is_left(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with open(tmp_path / "screen", "w+") as screen:
        lines = Lines(Console(file=screen, width=120))
        lines.begin("denoise", 100, 10_000)
        for seconds, done in ((5, 110), (11, 122), (400, 7900), (20, 8000), (1000, 10_000)):
            now[0] += seconds
            lines.update(done, {"loss": 0.5})
        screen.seek(0)
        told = screen.read().splitlines()
    assert told == [
        "denoise 122/10000, loss 0.5, 1.4 it/s, 1 h 59 min left",
        "denoise 7900/10000, loss 0.5, 18.8 it/s, 1 min 52 s left",
        "denoise 8000/10000, loss 0.5, 18.1 it/s, 1 min 50 s left",
        "denoise 10000/10000, loss 0.5, 6.9 it/s, done",
    ]


# -- several processes


def test_two_processes_give_the_losses_of_one(tmp_path):
    runs = [RunFolder.create(tmp_path / name, "recipe") for name in ("two", "one")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROGRAM.parents[2])}
    group = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*group, str(PROGRAM), "share", str(runs[0].path), "20"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode and any(why in done.stderr for why in ("find interface", "Address family", "Name or service")):
        pytest.skip("no loopback interface for two processes to talk over")
    assert done.returncode == 0, done.stderr
    said = sorted((json.loads(line) for line in done.stdout.splitlines()), key=lambda line: line["rank"])
    assert said == [{"rank": rank, "gathered": [10.0, 11.0, 12.0]} for rank in (0, 1)]
    fit(Denoiser(dropout=0.0), Points(), 20, OPTIONS, run=runs[1], progress=False, device="cpu")
    two, one = ([{**line, "steps_per_second": 0} for line in run.read_log()] for run in runs)
    assert [line.keys() for line in two] == [line.keys() for line in one]
    for a, b in zip(two, one, strict=True):
        for name in a:
            if name != "net.size":  # the norm of a part of a batch is no mean over rows
                assert a[name] == (pytest.approx(b[name], abs=1e-5) if isinstance(b[name], float) else b[name]), name
    weights, expected = (read_tensors(run.weights)[0] for run in runs)
    for name, value in expected.items():
        if value.is_floating_point():
            torch.testing.assert_close(weights[name], value, rtol=0, atol=1e-5)
    with warnings.catch_warnings(action="error"), pytest.raises(UserWarning, match="processes was 2, is 1"):
        fit(Denoiser(dropout=0.0), Points(), 22, OPTIONS, run=runs[0], progress=False, device="cpu")
