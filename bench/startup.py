"""How long the command line takes to answer what needs no model: help, the recipes, a mistake.

By the processor's clock these are the seconds that the command itself computes, which on an idle machine is nearly all that one
waits; with --clock wall all of it.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import measuring

QUESTIONS = {
    "unveil": [],
    "unveil --help": ["--help"],
    "unveil recipes": ["recipes"],
    "unveil train, unknown recipe": ["train", "digits-dpm"],
    "unveil train, unknown key": ["train", "digits-ddpm", "training.stepz=3"],
    "unveil sample, no run": ["sample", "no-such-run", "--out", "x.png"],
}


def main() -> None:
    bench = measuring.begin(measuring.parser(__doc__.splitlines()[0]).parse_args())
    program = str(Path(sys.executable).with_name("unveil"))

    def now() -> float:
        if bench.clock == "wall":
            return time.perf_counter()
        spent = os.times()
        return spent.children_user + spent.children_system

    def ask(words: list[str]) -> float:
        begin = now()
        subprocess.run([program, *words], capture_output=True, check=False)
        return now() - begin

    turns = {name: lambda words=words: ask(words) for name, words in QUESTIONS.items() if bench.wants(name)}
    times = bench.contest(turns)
    for name in turns:
        bench.figure(f"{name}, median", times.median(name), "s", "< 0.3")
        bench.figure(f"{name}, best", times.best(name), "s", "< 0.3")


if __name__ == "__main__":
    main()
