"""How everything here is measured: contestants take turns, best and median of seven, one JSON line for each figure."""

import argparse
import ctypes
import gc
import json
import operator
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

os.environ.update(TQDM_DISABLE="1", HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")  # before anything reads them

ROUNDS = 7
_SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def holds(goal: str, value: float | None) -> bool | None:
    """Whether a value reaches a goal such as ">= 1.1"; None where there is no value."""
    sign, number = goal.split()
    return None if value is None else bool(_SIGNS[sign](value, float(number)))


def rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


@dataclass
class Bench:
    """Where figures go, and how they are come by.

    Attributes:
        quick: whether to measure less.
        only: a pattern; figures and regimes whose names lack it are left out.
        clock: "cpu" counts the seconds this process computes, so that neighbours on a shared machine are not measured
            along; "wall" is for an idle machine and for GPUs.
        threads: of torch, for all contestants alike.
        file: keeps the lines, after a first one on the machine.
    """

    quick: bool = False
    only: str = ""
    clock: str = "cpu"
    threads: int = 1
    file: TextIO | None = None
    rounds: int = ROUNDS
    lines: list[dict[str, Any]] = field(default_factory=list)

    def wants(self, name: str) -> bool:
        """Whether a regime was asked for."""
        return re.search(self.only, name) is not None

    def figure(
        self,
        name: str,
        ours: float | None,
        unit: str,
        goal: str,
        *,
        peer: float | None = None,
        peer_name: str | None = None,
        ratio: float | None = None,
    ) -> None:
        """Print one figure; the goal is for the ratio ours / peer, or for ours where no peer is named."""
        if ratio is None and ours is not None and peer:
            ratio = ours / peer
        judged = ours if peer_name is None else ratio
        line = {
            "name": name,
            "ours": rounded(ours),
            "peer": rounded(peer),
            "peer_name": peer_name,
            "ratio": rounded(ratio),
            "goal": goal,
            "holds": holds(goal, judged),
            "unit": unit,
        }
        self.lines.append(line)
        print(json.dumps(line), flush=True)
        if self.file is not None:
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()

    def now(self) -> float:
        """The time by the chosen clock, in seconds."""
        return time.process_time() if self.clock == "cpu" else time.perf_counter()

    def contest(self, contestants: Mapping[str, Callable[[], float]], rounds: int | None = None) -> "Times":
        """Let contestants take turns, after one turn each that does not count; every turn gives its seconds.

        The order turns round from round to round, so that nobody always follows the same one.
        """
        for run in contestants.values():
            run()
        names = list(contestants)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(rounds or self.rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                seconds[name].append(contestants[name]())
        return Times(seconds)

    def timed(self, work: Callable[[], object], wait: Callable[[], object] | None = None) -> Callable[[], float]:
        """A turn of a contest: the seconds that some work takes; `wait` waits for a GPU."""

        def turn() -> float:
            if wait is not None:
                wait()
            begin = self.now()
            work()
            if wait is not None:
                wait()
            return self.now() - begin

        return turn


@dataclass(frozen=True)
class Times:
    """Seconds of each contestant's turns, in order of the rounds."""

    seconds: Mapping[str, Sequence[float]]

    def best(self, name: str) -> float:
        """The shortest turn: what the machine gives when nobody disturbs it."""
        return min(self.seconds[name])

    def median(self, name: str) -> float:
        """The middle turn."""
        return statistics.median(self.seconds[name])

    def ratio(self, ours: str, peer: str) -> float:
        """How many times as fast ours is: the median of the rounds' own ratios, in which both met the same machine."""
        pairs = zip(self.seconds[ours], self.seconds[peer], strict=True)
        return statistics.median(theirs / mine for mine, theirs in pairs)

    def report(
        self, bench: Bench, name: str, units: float, unit: str, ours: str, peer: str, peer_name: str, goal: str
    ) -> None:
        """Print the two figures of a contest: `units` over the best and over the median turn."""
        mine, theirs = units / self.best(ours), units / self.best(peer)
        bench.figure(f"{name}, best", mine, unit, goal, peer=theirs, peer_name=peer_name)
        mine, theirs = units / self.median(ours), units / self.median(peer)
        ratio = self.ratio(ours, peer)
        bench.figure(f"{name}, median", mine, unit, goal, peer=theirs, peer_name=peer_name, ratio=ratio)


# -- the command line -------------------------------------------------------------------------------------------------


def parser(description: str) -> argparse.ArgumentParser:
    """The options that all measurements share."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--quick", action="store_true", help="measure less, in under a minute")
    options.add_argument("--only", default="", metavar="PATTERN", help="only what has this pattern in its name")
    options.add_argument("--threads", type=int, default=1, help="threads of torch, for all contestants (1)")
    options.add_argument("--clock", choices=["cpu", "wall"], help="cpu (shared machine) or wall (idle, or with a GPU)")
    options.add_argument("--out", type=Path, help="keep the lines in this file too, after one about the machine")
    options.add_argument("--peers", help="a folder with peers installed apart; see bench/README.md")
    return options


def begin(options: argparse.Namespace, *, gpu: bool = False) -> Bench:
    """Make ready to measure."""
    clock = options.clock or ("wall" if gpu else "cpu")
    file = None
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        file = options.out.open("w", encoding="utf-8")
        file.write(json.dumps({"machine": machine(options, clock)}) + "\n")
    return Bench(options.quick, options.only, clock, options.threads, file, 3 if options.quick else ROUNDS)


def _told(value: object) -> str:
    """An option as results tell it: of a place on this machine its last part, which may mean something elsewhere too."""
    return Path(str(value)).name if Path(str(value)).is_absolute() else str(value)


def machine(options: argparse.Namespace, clock: str) -> dict[str, Any]:
    """Where and when something is measured, and with what."""
    packages = {}
    for name in ("torch", "numpy", "diffusers", "accelerate", "denoising-diffusion-pytorch"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "program": Path(sys.argv[0]).name,
        "options": {name: _told(value) for name, value in vars(options).items() if value},
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "gpu": _gpu(),
        "clock": clock,
        "threads": options.threads,
        "python": platform.python_version(),
        "packages": packages,
        "commit": _commit(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor()


def _gpu() -> str | None:
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None


def _commit() -> str | None:
    here = Path(__file__).parent
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True)
    return asked.stdout.strip() or None


# -- memory -----------------------------------------------------------------------------------------------------------


def peak_of(command: Sequence[str]) -> dict[str, float] | None:
    """Run a program that ends with a line of `peak_while`, and give what it says; None if it has nothing to measure."""
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak_while(work: Callable[[], object]) -> str:
    """Do some work, and tell the most memory that this process ever had, and what the work took beyond what it found.

    In MB, as a line of JSON. Asked of Linux's own account of this program: `ru_maxrss` counts what its parent had.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back, or the work would find it and seem to take nothing
    before, most = _status("VmRSS"), _status("VmHWM")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    work()
    peak = _status("VmHWM")
    return json.dumps({"process": max(most, peak) / 2**20, "work": (peak - before) / 2**20})


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
