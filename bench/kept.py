"""What stands in bench/results/: lines, the machine that measured them, and the command that was typed."""

import json
import re
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
RESULTS = BENCH / "results"
HELPERS = ("eyes", "kept", "ledger", "measuring", "peers")  # programs of this folder that measure nothing


@cache
def content(file: str) -> tuple[dict[str, Any], ...]:
    """All lines of a file of results, the one about the machine first; none where there is no such file."""
    path = RESULTS / f"{file}.jsonl"
    return tuple(map(json.loads, path.read_text(encoding="utf-8").splitlines())) if path.exists() else ()


def measured(file: str) -> bool:
    """Whether there is such a file."""
    return bool(content(file))


def machine_of(file: str) -> dict[str, Any]:
    """Where, when and with what a file was measured."""
    return content(file)[0]["machine"]


def lines_of(file: str) -> Sequence[dict[str, Any]]:
    """The figures of a file."""
    return content(file)[1:]


def date_of(file: str) -> str:
    """The day of a file."""
    return machine_of(file)["date"].partition(" ")[0]


@cache
def pattern(text: str) -> re.Pattern[str]:
    """A name in which every * stands for anything."""
    return re.compile("(.*)".join(map(re.escape, text.split("*"))))


def number(value: float | None) -> str:
    """A number as a reader likes it: at most four digits that tell something."""
    if value is None:
        return "none"
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def programs() -> list[str]:
    """The programs that measure something."""
    return sorted(path.name for path in BENCH.glob("*.py") if path.stem not in HELPERS)


def command_of(file: str) -> str:
    """What was typed; of places on that machine their last part, and other libraries' folder as PEERS."""
    machine = machine_of(file)
    words = ["python", f"bench/{machine['program']}"]
    for name, value in machine["options"].items():
        if name == "out" or (name, value) == ("threads", "1"):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value != "True":
            words.append("PEERS" if name == "peers" else shlex.quote(Path(value).name))
    return " ".join([*words, "--out", f"bench/results/{file}.jsonl"])


def device_of(file: str) -> str:
    """The machine, how much of it was used, and by which clock."""
    machine = machine_of(file)
    threads = machine["threads"]
    place = machine["gpu"] or f"{machine['processor']}, {threads} of {machine['cores']} cores"
    return f"{place}, {'time of the processor' if machine['clock'] == 'cpu' else 'by the wall clock'}"


def has_goal(line: dict[str, Any]) -> bool:
    """Whether a line is held to something; most of those above zero are only told."""
    return line["goal"] != "> 0" and (line["goal"] != ">= 0" or "difference" in line["unit"])
