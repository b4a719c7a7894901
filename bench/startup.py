"""How long the command line takes to answer what needs no model: help, the recipes, a mistake."""

import subprocess
import sys
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
    bench.clock = "wall"
    program = str(Path(sys.executable).with_name("unveil"))

    def ask(words: list[str]) -> None:
        subprocess.run([program, *words], capture_output=True, check=False)

    turns = {
        name: bench.timed(lambda words=words: ask(words)) for name, words in QUESTIONS.items() if bench.wants(name)
    }
    times = bench.contest(turns)
    for name in turns:
        bench.figure(f"{name}, median", times.median(name), "s", "< 0.3")
        bench.figure(f"{name}, best", times.best(name), "s", "< 0.3")


if __name__ == "__main__":
    main()
