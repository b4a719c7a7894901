"""The measurements can be started, and what they print has the agreed form; no figure is looked at here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BENCH = REPOSITORY / "bench"
PROGRAMS = sorted(
    path.name for path in BENCH.glob("*.py") if path.stem not in ("eyes", "kept", "ledger", "measuring", "peers")
)
KEYS = ["name", "ours", "peer", "peer_name", "ratio", "goal", "holds", "unit"]


ASK_ALL = """
import runpy, sys
for program in sys.argv[1:]:
    sys.argv = [program, "--help"]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        print(program, end.code)
"""


@pytest.fixture
def measuring(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import measuring

    return measuring


def test_every_measurement_tells_what_it_is():
    pytest.importorskip("diffusers", reason="measured against diffusers: pip install .[bench]")
    paths = os.pathsep.join(map(str, (REPOSITORY, BENCH)))
    programs = [str(BENCH / program) for program in PROGRAMS]
    done = subprocess.run(
        [sys.executable, "-c", ASK_ALL, *programs],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert all(f"{program} 0" in done.stdout for program in programs)
    assert done.stdout.count("--quick") >= len(programs)


def test_a_figure_is_one_line_of_the_agreed_form(measuring, tmp_path, capsys):
    options = measuring.parser("a test").parse_args(["--out", str(tmp_path / "kept.jsonl")])
    bench = measuring.begin(options)
    bench.figure("alone", 0.25, "s", "< 0.3")
    bench.figure("beside a peer", 1.9, "images/s", ">= 1.2", peer=1.4, peer_name="diffusers 0.38")
    bench.figure("beside nobody", 1.9, "images/s", ">= 1.2", peer_name="diffusers (absent)")
    bench.file.close()
    printed = capsys.readouterr().out
    alone, beside, nobody = (json.loads(line) for line in printed.splitlines())
    assert all(list(line) == KEYS for line in (alone, beside, nobody))
    assert alone["peer"] is None
    assert alone["holds"] is True
    assert (beside["ratio"], beside["holds"]) == (1.357, True)
    assert (nobody["ratio"], nobody["holds"]) == (None, None)
    machine, *kept = (tmp_path / "kept.jsonl").read_text().splitlines()
    assert kept == printed.splitlines()
    assert {"date", "processor", "cores", "clock", "threads", "packages"} <= json.loads(machine)["machine"].keys()


def test_contestants_take_turns_in_a_turning_order(measuring):
    asked = []

    def turn(name, seconds):
        asked.append(name)
        return seconds

    bench = measuring.Bench(rounds=3)
    times = bench.contest(
        {name: lambda name=name, s=s: turn(name, s) for name, s in (("a", 1.0), ("b", 2.0), ("c", 4.0))}
    )
    assert "".join(asked) == "abc" + "abc" + "bca" + "cab"
    assert (times.best("b"), times.median("b"), times.ratio("a", "c")) == (2.0, 2.0, 4.0)


def test_memory_is_that_of_the_work(measuring):
    told = json.loads(measuring.peak_while(lambda: bytearray(64 * 2**20).count(b"x")))
    assert 60 < told["work"] < 200
    assert told["work"] < told["process"]


def test_goals_are_judged(measuring):
    assert measuring.holds(">= 1.1", 1.1) is True
    assert measuring.holds("< 0.3", 0.3) is False
    assert measuring.holds("<= 1.0", None) is None


def test_kept_results_have_the_agreed_form():
    for path in (BENCH / "results").glob("*.jsonl"):
        machine, *lines = map(json.loads, path.read_text().splitlines())
        assert list(machine) == ["machine"], path
        assert all(list(line) == KEYS for line in lines), path
        assert not [value for value in machine["machine"]["options"].values() if Path(value).is_absolute()], path


def test_results_tell_no_places_of_a_machine(measuring, tmp_path):
    options = measuring.parser("").parse_args(["--peers", str(tmp_path / "peers"), "--out", "results/x.jsonl"])
    assert measuring.machine(options, "cpu")["options"] == {"threads": "1", "peers": "peers", "out": "results/x.jsonl"}
